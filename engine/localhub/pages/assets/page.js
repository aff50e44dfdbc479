// Draws the mermaid blocks of rendered markdown, and unfolds what an address points to. Without mermaid, or when a block
// cannot be drawn, its text stays.
"use strict";
const drawn = new Map(); // by text: a graph that has not changed is not drawn anew

// drawGraphs replaces the blocks below root, which need not be in the document yet.
window.drawGraphs = async function (root) {
  const blocks = root.querySelectorAll("pre > code.language-mermaid");
  if (blocks.length === 0 || !window.mermaid) return;
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  mermaid.initialize({ startOnLoad: false, securityLevel: "strict", theme: dark ? "dark" : "neutral" });
  for (const code of blocks) {
    try {
      const text = code.textContent;
      if (!drawn.has(text)) drawn.set(text, (await mermaid.render("graph-" + drawn.size, text)).svg);
      const box = document.createElement("div");
      box.className = "graph";
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", "Graph");
      box.innerHTML = drawn.get(text);
      const picture = box.firstElementChild;
      picture.style.minWidth = 0.75 * picture.viewBox.baseVal.width + "px"; // a wide graph scrolls and stays readable
      code.parentElement.replaceWith(box);
    } catch (error) {
      console.warn("a graph could not be drawn:", error);
    }
  }
};

function unfold() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let d = target.closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
  target.scrollIntoView();
}

document.addEventListener("DOMContentLoaded", async () => {
  await drawGraphs(document);
  unfold();
});
addEventListener("hashchange", unfold);
