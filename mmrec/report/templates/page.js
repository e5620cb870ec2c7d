"use strict";
// A click on a heading sorts: numbers largest first, words by letters; a second click reverses the order.
for (const button of document.querySelectorAll("thead button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const place = head.cellIndex;
    const body = head.closest("table").tBodies[0];
    const text = head.dataset.text !== undefined;
    const first = text ? "ascending" : "descending";
    const other = text ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    for (const each of head.parentElement.cells) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const value = (row) => row.cells[place].dataset.value;
    const compare = (a, b) => {
      if (value(a) === "" || value(b) === "") return (value(a) === "") - (value(b) === ""); // missing values come last
      return sign * (text ? value(a).localeCompare(value(b), undefined, { numeric: true }) : value(a) - value(b));
    };
    body.append(...[...body.rows].sort(compare));
  });
}
// A chip shows its model in all figures of the board, and fades the others.
for (const chip of document.querySelectorAll(".chip")) {
  chip.addEventListener("click", () => {
    const board = chip.closest("section");
    const on = chip.getAttribute("aria-pressed") !== "true";
    for (const each of board.querySelectorAll(".chip")) each.setAttribute("aria-pressed", String(on && each === chip));
    for (const part of board.querySelectorAll("[data-model]")) {
      part.classList.toggle("faded", on && part.dataset.model !== chip.dataset.shows);
    }
  });
}
