"use strict";

// The tables: a click on a heading sorts one. Words and the data set filter all of them.
function setUpTable(table) {
  const headings = [...table.tHead.rows[0].cells];

  function read(row, column) {
    const text = row.cells[column].dataset.value;
    return text === "" || isNaN(text) ? text : Number(text);
  }

  // Numbers by value, texts by alphabet; empty cells stay last in both directions.
  function compare(first, second, column, sign) {
    const one = read(first, column), other = read(second, column);
    if (one === "" || other === "") return (one === "") - (other === "");
    if (typeof one === "number" && typeof other === "number") return sign * (one - other);
    return sign * String(one).localeCompare(String(other));
  }

  function sort(column, sign) {
    headings.forEach((heading) => heading.removeAttribute("aria-sort"));
    headings[column].setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows];
    rows.sort((first, second) => compare(first, second, column, sign));
    table.tBodies[0].append(...rows);
  }

  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const rising = heading.getAttribute("aria-sort") === "ascending";
      sort(column, rising ? -1 : 1);
    });
  });
}

function setUpFilter() {
  const filter = document.getElementById("filter");
  const chosen = document.getElementById("filter-set");
  const count = document.getElementById("filter-count");

  function apply() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (element) => {
      const text = element.dataset.text.toLowerCase();
      return words.every((word) => text.includes(word));
    };
    let shown = 0, all = 0;
    for (const section of document.querySelectorAll("section.set")) {
      const isChosen = !chosen.value || chosen.value === section.dataset.set;
      let any = false;
      for (const row of section.querySelectorAll("tr.run")) {
        row.hidden = !(isChosen && fits(row));
        any ||= !row.hidden;
        shown += !row.hidden;
        all += 1;
      }
      section.hidden = !any;
    }
    for (const group of document.querySelectorAll("details.group")) group.hidden = !fits(group);
    const isAll = shown === all;
    count.textContent = shown ? (isAll ? "" : `${shown} of ${all} entries`)
      : `No entry of ${all} matches. Remove a word of the filter.`;
  }

  filter.addEventListener("input", apply);
  chosen.addEventListener("input", apply);
  apply();
}
