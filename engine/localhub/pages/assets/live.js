// Keeps a pull request's page up to date: it asks for the version, and when that has changed fetches the page and
// replaces the sections that differ. What a person types into is in no such section, so nothing typed is lost; and a
// review that was begun stays a review of the commit that it was begun on.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const live = document.getElementById("live");
  const sections = () => document.querySelectorAll("[data-live]");
  const shown = new Map();
  for (const s of sections()) shown.set(s.id, s.innerHTML);
  let version = live.dataset.version;
  const typing = () => [...document.querySelectorAll("textarea")].some((t) => t.value) || document.querySelector(":checked[type=radio]");

  async function refresh() {
    const page = await fetch(location.pathname, { cache: "no-cache" });
    if (!page.ok) return false;
    const fresh = new DOMParser().parseFromString(await page.text(), "text/html");
    if (!window.mermaid && fresh.querySelector("code.language-mermaid")) { // needs another policy: load anew
      if (!typing()) location.reload();
      return false;
    }
    let whole = true;
    for (const s of sections()) {
      const now = fresh.getElementById(s.id);
      if (!now || now.innerHTML === shown.get(s.id)) continue;
      if (s.contains(document.activeElement) || (s.id === "reviewed" && typing())) {
        whole = false;
        continue;
      }
      shown.set(s.id, now.innerHTML);
      const open = [...s.querySelectorAll("details[id]")].filter((d) => d.open).map((d) => d.id);
      s.className = now.className;
      s.innerHTML = now.innerHTML;
      for (const id of open) document.getElementById(id)?.setAttribute("open", "");
      await drawGraphs(s);
    }
    return whole;
  }

  async function look() {
    try {
      if (!document.hidden) {
        const answer = await fetch(live.dataset.ask, { cache: "no-cache" });
        const now = answer.ok ? (await answer.text()).trim() : version;
        if (now !== version && (await refresh())) version = now;
      }
    } catch (error) {
      console.warn("the hub does not answer:", error);
    }
    setTimeout(look, 2000);
  }
  setTimeout(look, 2000);
});
