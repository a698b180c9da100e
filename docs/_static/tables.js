// Tables that are wider than their column are set as blocks, a row to a block, each value labelled.
"use strict";

addEventListener("DOMContentLoaded", () => {
  const tables = [...document.querySelectorAll(".bd-article table")].filter(t => t.tHead);
  for (const table of tables) {
    const heads = [...table.tHead.rows[0].cells].map(cell => cell.textContent);
    table.setAttribute("role", "table"); // which a table is no longer once it is set otherwise
    for (const row of table.rows) {
      row.setAttribute("role", "row");
      [...row.cells].forEach((cell, i) => {
        cell.setAttribute("role", cell.tagName === "TH" ? "columnheader" : "cell");
        cell.dataset.head = heads[i];
      });
    }
  }
  const fit = () => {
    for (const table of tables) {
      table.classList.remove("stacked");
      const room = table.parentElement.clientWidth;
      table.classList.toggle("stacked", room > 0 && table.scrollWidth > room + 1);
    }
  };
  addEventListener("resize", fit);
  document.addEventListener("toggle", fit, true); // what a click has opened
  fit();
});
