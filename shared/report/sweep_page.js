"use strict";

// The page of one sweep, without the rest of the report.
const panels = [];
document.querySelectorAll("table.runs").forEach(setUpTable);
darkness.addEventListener("change", () => panels.forEach((panel) => panel.paint()));
drawSweeps(JSON.parse(document.getElementById("content").textContent).trials, panels);
document.documentElement.dataset.ready = "yes";
