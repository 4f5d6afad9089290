"use strict";

// The curves of a data set with their controls, and the small panels of a run.
// Exponential mean, corrected for its start; a missing value stays missing.
function smooth(values, weight) {
  let sum = 0, share = 0;
  return values.map((value) => {
    if (value === null || Number.isNaN(value)) return NaN;
    sum = weight * sum + (1 - weight) * value;
    share = weight * share + (1 - weight);
    return sum / share;
  });
}

function addUp(values) {
  let sum = 0;
  return values.map((value) => (sum += value ?? 0));
}

function makeLine(run, column, across, options) {
  const { history } = run;
  const seconds = addUp(history.seconds ?? history.epoch.map(() => 0));
  const raw = history[column] ?? history.epoch.map(() => null);
  return {
    seed: run.seed, epoch: history.epoch, seconds, raw: raw.map((value) => value ?? NaN),
    x: across === "seconds" ? seconds : history.epoch, y: smooth(raw, options.weight ?? 0),
    visible: true, dash: "solid", ...options,
  };
}

// Mean and range of several lines at each epoch, over the lines that reach it.
function makeMean(lines, weight) {
  const longest = lines.reduce((one, other) => (other.raw.length > one.raw.length ? other : one));
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const known = (name, k) => lines.map((line) => line[name][k]).filter((value) => Number.isFinite(value));
  const gather = (name, join) => longest.raw.map((_, k) => {
    const values = known(name, k);
    return values.length ? join(values) : NaN;
  });
  const raw = gather("raw", mean);
  return {
    ...longest, raw, y: smooth(raw, weight), x: gather("x", mean), seconds: gather("seconds", mean),
    low: gather("raw", (values) => Math.min(...values)), high: gather("raw", (values) => Math.max(...values)),
    seed: lines.length > 1 ? `mean of ${lines.length}` : longest.seed,
  };
}

function listBaselines(baselines, metric) {
  return baselines
    .filter((baseline) => typeof baseline.validation[metric] === "number")
    .map((baseline) => ({ name: baseline.name, value: baseline.validation[metric], isBestAchievable: baseline.is_best_achievable }));
}

// The panel of a data set with its controls.
function setUpSet(content, set) {
  const find = (name) => document.getElementById(`${set.key}-${name}`);
  const panel = new Panel(find("plot"), 380, false);
  const legend = find("legend");
  const boxes = [...legend.querySelectorAll("input[type=checkbox]")];
  const baselinesBox = find("baselines");
  const weight = () => Number(find("smooth").value);

  function isShown(k, key) {
    const single = boxes.find((box) => box.dataset.run === key);
    const whole = boxes.find((box) => box.dataset.group === String(k));
    return single ? single.checked : whole.checked;
  }

  function buildLines() {
    const across = find("across").value, column = find("part").value + find("metric").value;
    return set.groups.flatMap((group, k) => {
      const make = (key) => makeLine(content.runs[key], column, across, {
        label: group.label, weight: weight(), dash: DASHES[group.dash],
        colour: () => pickColour(group), visible: isShown(k, key),
      });
      if (find("lines").value === "each") return group.runs.map(make);
      const shown = group.runs.filter((key) => isShown(k, key));
      const mean = makeMean((shown.length ? shown : group.runs).map(make), weight());
      return [{ ...mean, visible: shown.length > 0 }];
    });
  }

  async function redraw() {
    legend.classList.toggle("each", find("lines").value === "each");
    const metric = find("metric").value, across = find("across").value;
    const lines = buildLines();
    panel.keep = set.metrics.find((one) => one.name === metric).keep;
    const part = find("part").selectedOptions[0].textContent;
    const baselines = find("part").value ? listBaselines(set.baselines, metric) : [];
    await panel.draw(lines, baselines, across === "epoch" ? "epoch" : "seconds of training",
      `${find("metric").selectedOptions[0].textContent}, ${part}`);
    legend.querySelectorAll("[data-baseline]").forEach((item) => {
      const baseline = set.baselines[item.dataset.baseline];
      const k = baselines.findIndex((other) => other.name === baseline.name);
      item.hidden = k < 0;
      if (k < 0) return;
      const line = item.querySelector("line");
      line.setAttribute("stroke", baseline.is_best_achievable ? "var(--best)" : "var(--dim)");
      line.setAttribute("style", `stroke: ${baseline.is_best_achievable ? "var(--best)" : "var(--dim)"}; stroke-width: 2`);
      line.setAttribute("stroke-dasharray", BASELINE_DASHES[k % BASELINE_DASHES.length]);
    });
    toggle();
  }

  function toggle() {
    panel.update(buildLines());
    panel.showBaselines(baselinesBox ? baselinesBox.checked : false);
    panel.isWhole = find("whole").checked;
    panel.fit();
    const baselines = listBaselines(set.baselines, find("metric").value);
    legend.querySelectorAll("[data-baseline]").forEach((item) => {
      const name = set.baselines[item.dataset.baseline].name;
      const mark = panel.marks.find((one) => one.name === name);
      const value = baselines.find((baseline) => baseline.name === name)?.value;
      item.querySelector("output").textContent =
        formatScore(value) + (mark && !mark.isNear ? ", outside the picture" : "");
    });
  }

  function resmooth() {
    find("smooth").nextElementSibling.textContent = find("smooth").value;
    panel.update(buildLines());
    panel.fit();
  }

  // A group's box switches its seeds; it is indeterminate when only some of them are on.
  function syncBoxes(box) {
    const k = box.dataset.group;
    const entry = box.closest(".entry");
    const whole = entry.querySelector("[data-group]");
    const singles = [...entry.querySelectorAll("[data-run]")];
    if (k !== undefined) singles.forEach((single) => { single.checked = box.checked; });
    else {
      const on = singles.filter((single) => single.checked).length;
      whole.checked = on > 0;
      whole.indeterminate = on > 0 && on < singles.length;
    }
  }

  for (const name of ["metric", "part", "across", "lines"]) find(name).addEventListener("change", redraw);
  find("smooth").addEventListener("input", resmooth);
  baselinesBox?.addEventListener("change", toggle);
  find("whole").addEventListener("change", toggle);
  boxes.forEach((box) => box.addEventListener("change", () => { syncBoxes(box); toggle(); }));
  legend.querySelectorAll("[data-all]").forEach((button) => button.addEventListener("click", () => {
    boxes.forEach((box) => { box.checked = Boolean(button.dataset.all); box.indeterminate = false; });
    toggle();
  }));
  return { panel, redraw, resmooth };
}

// The curves of one run: training, validation and its baselines.
async function drawRun(content, article, panels) {
  const key = article.dataset.run, run = content.runs[key];
  const set = content.sets.find((one) => one.groups.some((group) => group.runs.includes(key)));
  const group = set.groups.find((one) => one.runs.includes(key));
  for (const element of article.querySelectorAll(".plot")) {
    const { metric } = element.dataset;
    const panel = new Panel(element, 260, true);
    const lines = [["", "training", "2 3"], ["val_", "validation", "solid"]].map(([part, label, dash]) =>
      makeLine(run, part + metric, "epoch", { label, dash, colour: () => pickColour(group) }));
    const { title, keep } = set.metrics.find((one) => one.name === metric);
    panel.keep = keep;
    panels.push(panel);
    await panel.draw(lines, listBaselines(run.baselines, metric), "epoch", `${title}; dotted: training`);
  }
}
