"use strict";

const PAPER = 680; // CSS pixels that fit a page of paper

// Keeps the reader's settings when a live page reloads.
const MEMORY = "rnn-recipes";

function remember() {
  const controls = {};
  for (const one of document.querySelectorAll("input[id], select[id]")) {
    controls[one.id] = one.type === "checkbox" ? one.checked : one.value;
  }
  const sorted = document.querySelector("th[aria-sort]");
  const open = [...document.querySelectorAll("details[open]")].map((one) => one.id);
  const sort = sorted && { column: sorted.cellIndex, way: sorted.getAttribute("aria-sort") };
  sessionStorage.setItem(MEMORY, JSON.stringify({ controls, open, sort, top: window.scrollY }));
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
  if (kept.sort) {
    const button = document.querySelectorAll("#table thead button")[kept.sort.column];
    button.click();
    if (kept.sort.way === "descending") button.click();
  }
  window.scrollTo(0, kept.top);
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
  setUpTable();
  if (content.stamp) recall();
  document.getElementById("filter").dispatchEvent(new Event("input"));

  const paint = () => {
    for (const swatch of document.querySelectorAll(".swatch")) {
      const k = Number(swatch.dataset.colour);
      swatch.style.borderTopColor = pickColour(content, k);
      swatch.style.borderTopStyle = ({ solid: "solid", "2 3": "dotted" })[pickDash(content, k)] ?? "dashed";
    }
    panels.forEach((panel) => panel.paint());
    document.documentElement.dataset.scheme = darkness.matches ? "dark" : "light";
  };
  darkness.addEventListener("change", paint);

  // Printing does not draw the plots again, so they are scaled down.
  window.addEventListener("beforeprint", () => {
    for (const plot of document.querySelectorAll(".plot")) {
      plot.style.zoom = Math.min(1, PAPER / plot.offsetWidth);
    }
  });
  window.addEventListener("afterprint", () => {
    for (const plot of document.querySelectorAll(".plot")) plot.style.zoom = "";
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
