// Draws the mermaid blocks of rendered markdown. Without mermaid, or when a block cannot be drawn, its text stays.
"use strict";
window.drawGraphs = async function (root) {
  const blocks = root.querySelectorAll("pre > code.language-mermaid");
  if (blocks.length === 0 || !window.mermaid) return;
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  mermaid.initialize({ startOnLoad: false, securityLevel: "strict", theme: dark ? "dark" : "neutral" });
  for (const code of blocks) {
    window.graphs = (window.graphs || 0) + 1;
    try {
      const { svg } = await mermaid.render("graph-" + window.graphs, code.textContent);
      const box = document.createElement("div");
      box.className = "graph";
      box.tabIndex = 0;
      box.innerHTML = svg;
      code.parentElement.replaceWith(box);
    } catch (error) {
      console.warn("a graph could not be drawn:", error);
    }
  }
};
document.addEventListener("DOMContentLoaded", () => drawGraphs(document));
