"use strict";

const PAPER = 680; // CSS pixels that fit a page of paper

// Keeps the reader's settings when a live page reloads.
const MEMORY = "rnn-recipes";

function remember() {
  const controls = {};
  for (const one of document.querySelectorAll("input[id], select[id]")) {
    controls[one.id] = one.type === "checkbox" ? one.checked : one.value;
  }
  const sorted = [...document.querySelectorAll("th[aria-sort]")].map((one) => (
    { table: one.closest("table").id, column: one.cellIndex, way: one.getAttribute("aria-sort") }));
  const open = [...document.querySelectorAll("details[open]")].map((one) => one.id);
  sessionStorage.setItem(MEMORY, JSON.stringify({ controls, open, sorted, top: window.scrollY }));
}

function recall() {
  const kept = JSON.parse(sessionStorage.getItem(MEMORY) ?? "null");
  if (kept === null) return;
  for (const [id, value] of Object.entries(kept.controls)) {
    const control = document.getElementById(id);
    if (control === null) continue;
    if (control.type === "checkbox") control.checked = value;
    else control.value = value;
  }
  for (const id of kept.open) document.getElementById(id)?.setAttribute("open", "");
  for (const { table, column, way } of kept.sorted) {
    const button = document.getElementById(table)?.querySelectorAll("thead button")[column];
    button?.click();
    if (way === "descending") button?.click();
  }
  window.scrollTo(0, kept.top);
}

// Bokeh draws its tools in shadow roots, which no style sheet of the page reaches.
function findTools(root) {
  return [...root.querySelectorAll("*")].flatMap((one) => [
    ...(one.matches(".bk-Toolbar") ? [one] : []), ...(one.shadowRoot ? findTools(one.shadowRoot) : []),
  ]);
}

async function follow(stamp) {
  try {
    const answer = await fetch("/stamp");
    const now = await answer.text();
    if (answer.ok && now !== stamp) {
      remember();
      window.location.reload();
      return;
    }
  } catch {
    // The server has stopped; the page stays as it is.
  }
  window.setTimeout(() => follow(stamp), 2000);
}

async function main() {
  const content = JSON.parse(document.getElementById("content").textContent);
  const panels = [];
  document.querySelectorAll("table.runs").forEach(setUpTable);
  setUpFilter();
  if (content.stamp) recall();
  document.getElementById("filter").dispatchEvent(new Event("input"));

  const paint = () => {
    panels.forEach((panel) => panel.paint());
    document.documentElement.dataset.scheme = darkness.matches ? "dark" : "light";
  };
  darkness.addEventListener("change", paint);

  // Printing does not draw the plots again, so they are scaled down, without their tools.
  window.addEventListener("beforeprint", () => {
    for (const plot of document.querySelectorAll(".plot")) {
      plot.style.zoom = Math.min(1, PAPER / plot.offsetWidth);
      for (const tools of findTools(plot)) tools.style.visibility = "hidden";
    }
  });
  window.addEventListener("afterprint", () => {
    for (const plot of document.querySelectorAll(".plot")) {
      plot.style.zoom = "";
      for (const tools of findTools(plot)) tools.style.visibility = "";
    }
  });

  // A panel takes a tenth of a second, so a run's panels are drawn when they come into view.
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      drawRun(content, target, panels);
    }
  }, { rootMargin: "200px" });
  document.querySelectorAll("article").forEach((article) => seen.observe(article));
  drawSweeps(content.trials, panels);

  // A link to a group opens it.
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(window.location.hash.slice(1)));
    if (target?.matches("details")) target.open = true;
  };
  window.addEventListener("hashchange", reveal);
  reveal();

  for (const set of content.sets) {
    const { panel, redraw, resmooth } = setUpSet(content, set);
    await redraw();
    resmooth();
    panels.push(panel);
  }
  paint();
  document.documentElement.dataset.ready = "yes";
  if (content.stamp) follow(content.stamp);
}

main();
