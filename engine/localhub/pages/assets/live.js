// Keeps a pull request's page up to date: it asks for the version, and when that has changed fetches the page and
// replaces the sections that differ. The texts that a person types are in no such section, so nothing typed is lost. A
// review that was begun stays a review of the commit that it was begun on, and a section in which text is selected or a
// choice is open waits until it is not.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const live = document.getElementById("live");
  const shown = new Map();
  const plain = (html) => html.replace(/(name="csrf" value=")[^"]*/g, "$1"); // tokens differ each time
  for (const s of document.querySelectorAll("[data-live]")) shown.set(s.id, plain(s.innerHTML));
  let version = live.dataset.version;
  let fresh = null; // a fetched page of which not every section is shown yet

  const typing = () => [...document.querySelectorAll("textarea")].some((t) => t.value) || document.querySelector("#review :checked[type=radio]");

  function busy(s) {
    const choice = document.getSelection();
    const within = s.contains(document.activeElement) && document.activeElement.matches("select, input, textarea");
    return within || (choice && !choice.isCollapsed && s.contains(choice.anchorNode)) || (s.id === "reviewed" && typing());
  }

  const key = (d) => d.id || d.querySelector("summary")?.textContent;

  // swap shows the new content of a section, with what was unfolded and focused before.
  async function swap(s, now) {
    const next = now.cloneNode(true);
    await drawGraphs(next);
    if (busy(s)) return false;
    const folds = new Map([...s.querySelectorAll("details")].map((d) => [key(d), d.open]));
    for (const d of next.querySelectorAll("details")) {
      if (folds.has(key(d))) d.open = folds.get(key(d));
    }
    const focused = s.contains(document.activeElement) ? document.activeElement : null;
    s.className = next.className;
    s.replaceChildren(...next.childNodes);
    if (focused?.id) document.getElementById(focused.id)?.focus({ preventScroll: true });
    else if (focused?.href) s.querySelector(`a[href="${CSS.escape(focused.getAttribute("href"))}"]`)?.focus({ preventScroll: true });
    return true;
  }

  async function refresh() {
    let whole = true;
    for (const s of document.querySelectorAll("[data-live]")) {
      const now = fresh.getElementById(s.id);
      if (!now || plain(now.innerHTML) === shown.get(s.id)) continue;
      if (busy(s) || !(await swap(s, now))) {
        whole = false;
        if (s.id === "reviewed") document.getElementById("moved").hidden = false;
        continue;
      }
      shown.set(s.id, plain(now.innerHTML));
      if (s.id === "reviewed") document.getElementById("moved").hidden = true;
    }
    if (whole) fresh = null;
  }

  let looking = false;
  async function look() {
    if (looking) return;
    looking = true;
    try {
      const answer = await fetch(live.dataset.ask, { cache: "no-cache" });
      const now = answer.ok ? (await answer.text()).trim() : version;
      if (now !== version) {
        const page = await fetch(location.pathname + location.search, { cache: "no-cache" });
        if (page.ok) {
          fresh = new DOMParser().parseFromString(await page.text(), "text/html");
          version = fresh.getElementById("live").dataset.version;
          if (!window.mermaid && fresh.querySelector("code.language-mermaid") && !typing()) location.reload(); // it needs another policy
        }
      }
      if (fresh) await refresh();
      live.textContent = "";
    } catch {
      live.textContent = "The hub does not answer; this page may be out of date.";
    }
    looking = false;
  }

  async function loop() {
    if (!document.hidden) await look();
    setTimeout(loop, 2000);
  }
  document.addEventListener("visibilitychange", () => document.hidden || look());
  setTimeout(loop, 2000);
});
