"use strict";

// Curves: one panel per data set, and small panels of a run when it comes into view.
const DARK_COLOURS = ["#5aa9e6", "#ff8c42", "#3ecf9a", "#e39bc4", "#f2c14e", "#9fd3f5", "#b5b5b5"];
const DASHES = ["solid", "8 4", "2 3", "8 3 2 3"];
const BASELINE_DASHES = ["2 3", "7 4", "7 3 2 3", "1 5", "12 5", "7 3 2 3 2 3"];
const WIDE = 20; // an axis is logarithmic above this ratio of highest to lowest value
const REACH = 3; // a baseline farther away than this many heights of the curves is not shown
const darkness = window.matchMedia("(prefers-color-scheme: dark)");
const coarse = window.matchMedia("(pointer: coarse)").matches;

function readStyle(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function pickColour(content, k) {
  const colours = darkness.matches ? DARK_COLOURS : content.colours;
  return colours[k % colours.length];
}

function pickDash(content, k) {
  return DASHES[Math.floor(k / content.colours.length) % DASHES.length];
}

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

function formatScore(value) {
  if (value === null || value === undefined) return "-";
  return value === 0 || Math.abs(value) >= 0.001 ? value.toFixed(4) : value.toExponential(1);
}

// Lines and baselines on one pair of axes.
class Panel {
  constructor(element, height, isSmall) {
    Object.assign(this, { element, height, isSmall, lines: [], marks: [] });
  }

  // lines: from `makeLine` and `makeMean`; baselines: {name, value, isBestAchievable}
  async draw(lines, baselines, across, title) {
    const values = lines.flatMap((line) => line.y).filter((value) => Number.isFinite(value));
    const lowest = Math.min(...values), isLog = lowest > 0 && Math.max(...values) / lowest > WIDE;
    const plot = Bokeh.Plotting.figure({
      height: this.height, sizing_mode: "stretch_width", y_axis_type: isLog ? "log" : "linear",
      tools: this.isSmall ? "" : "pan,wheel_zoom,box_zoom,reset,save",
      toolbar_location: this.isSmall ? null : "right",
      x_range: new Bokeh.Range1d({ start: 0, end: 1 }),
      y_range: new Bokeh.Range1d({ start: 0.1, end: 1 }),
      x_axis_label: across, y_axis_label: title, output_backend: "svg",
    });
    if (!this.isSmall) {
      plot.toolbar.logo = null;
      plot.toolbar.autohide = false;
      // A finger scrolls the page, unless the reader has chosen a tool.
      const box = plot.toolbar.tools.find((tool) => tool.type === "BoxZoomTool");
      plot.toolbar.active_drag = coarse ? null : box;
      plot.toolbar.active_scroll = null;
    }
    this.marks = baselines.map((baseline, k) => {
      const source = new Bokeh.ColumnDataSource({ data: { y: [baseline.value], name: [baseline.name] } });
      const dash = BASELINE_DASHES[k % BASELINE_DASHES.length];
      const glyph = plot.hspan({ field: "y" }, { source, line_width: 1.5, line_dash: dash });
      glyph.hover_glyph = null;
      return { ...baseline, glyph };
    });
    this.lines = lines.map((line) => {
      const source = new Bokeh.ColumnDataSource({ data: this.fill(line) });
      const style = { source, line_width: 2 };
      const band = line.low && plot.varea({ field: "x" }, { field: "low" }, { field: "high" }, {
        source, fill_alpha: 0.15, level: "underlay",
      });
      const curve = plot.line({ field: "x" }, { field: "y" }, { ...style, line_dash: line.dash });
      const dots = plot.scatter({ field: "x" }, { field: "y" }, {
        source, size: line.y.length > 60 ? 3 : 6, line_color: null,
      });
      // Bokeh would draw a hovered point blue, and not the rest of its line.
      for (const glyph of [band, curve, dots]) if (glyph) glyph.hover_glyph = null;
      return { ...line, source, band, curve, dots };
    });
    const tooltips = [["run", "@label"], ["seed", "@seed"], ["epoch", "@epoch"],
      ["value", "@raw{0.00000}"], ["smoothed", "@y{0.00000}"], ["seconds", "@seconds{0.0}"]];
    plot.add_tools(new Bokeh.HoverTool({ renderers: this.lines.map((line) => line.dots), tooltips }));
    if (this.marks.length) {
      plot.add_tools(new Bokeh.HoverTool({
        renderers: this.marks.map((mark) => mark.glyph), tooltips: [["", "@name"], ["value", "@y{0.00000}"]],
      }));
    }
    Object.assign(this, { plot, isLog });
    this.paint();
    this.fit();
    const old = this.view;
    this.element.replaceChildren();
    this.view = await Bokeh.Plotting.show(plot, this.element);
    old?.remove?.();
  }

  fill(line) {
    const { x, y, raw, epoch, seconds, low = raw, high = raw } = line;
    const repeat = (value) => Array(y.length).fill(value);
    return { x, y, raw, epoch, seconds, low, high, label: repeat(line.label), seed: repeat(line.seed) };
  }

  // The same lines with other values, or shown and hidden; the zoom stays.
  update(lines) {
    lines.forEach((line, k) => {
      const own = Object.assign(this.lines[k], line);
      own.source.data = this.fill(own);
      for (const glyph of [own.band, own.curve, own.dots]) if (glyph) glyph.visible = own.visible;
    });
  }

  // Fits the axes to the visible curves and the baselines near them.
  fit() {
    const shown = this.lines.filter((line) => line.visible);
    const y = shown.flatMap((line) => [line.y, line.low ?? [], line.high ?? []].flat())
      .filter((value) => Number.isFinite(value));
    const x = shown.flatMap((line) => line.x).filter((value) => Number.isFinite(value));
    if (!y.length) return;
    const on = this.isLog ? Math.log10 : (value) => value;
    const off = this.isLog ? (value) => 10 ** value : (value) => value;
    let low = on(Math.min(...y)), high = on(Math.max(...y));
    const height = high - low || Math.abs(high) * 0.1 || 1;
    const reach = [low - REACH * height, high + REACH * height];
    for (const mark of this.marks) {
      const value = on(mark.value);
      mark.isNear = value >= reach[0] && value <= reach[1];
      if (mark.isNear && mark.glyph.visible) [low, high] = [Math.min(low, value), Math.max(high, value)];
    }
    const edge = 0.05 * (high - low || height);
    const right = Math.max(...x), left = Math.min(...x);
    const margin = 0.03 * (right - left || 1);
    const set = (range, start, end) => Object.assign(range, { start, end, reset_start: start, reset_end: end });
    set(this.plot.y_range, off(low - edge), off(high + edge));
    set(this.plot.x_range, left - margin, right + margin);
  }

  showBaselines(isVisible) {
    for (const mark of this.marks) mark.glyph.visible = isVisible;
  }

  // Colours of the page, light or dark.
  paint() {
    const [text, dim, back, line, best] =
      ["--text", "--dim", "--back", "--line", "--best"].map(readStyle);
    const { plot } = this;
    Object.assign(plot, {
      background_fill_color: back, border_fill_color: back, outline_line_color: line,
    });
    for (const axis of [...plot.below, ...plot.left]) {
      Object.assign(axis, {
        axis_label_text_color: text, major_label_text_color: text, axis_line_color: dim,
        major_tick_line_color: dim, minor_tick_line_color: null, axis_label_text_font_style: "normal",
      });
    }
    for (const grid of plot.center) grid.grid_line_color = line;
    for (const one of this.lines) {
      const colour = one.colour();
      one.curve.glyph.line_color = colour;
      one.dots.glyph.fill_color = colour;
      if (one.band) one.band.glyph.fill_color = colour;
    }
    for (const mark of this.marks) mark.glyph.glyph.line_color = mark.isBestAchievable ? best : dim;
  }
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
        label: group.label, weight: weight(), dash: pickDash(content, k),
        colour: () => pickColour(content, k), visible: isShown(k, key),
      });
      if (find("lines").value === "each") return group.runs.map(make);
      const shown = group.runs.filter((key) => isShown(k, key));
      const mean = makeMean((shown.length ? shown : group.runs).map(make), weight());
      return [{ ...mean, visible: shown.length > 0 }];
    });
  }

  async function redraw() {
    const metric = find("metric").value, across = find("across").value;
    const lines = buildLines();
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
    panel.fit();
    const baselines = listBaselines(set.baselines, find("metric").value);
    legend.querySelectorAll("[data-baseline]").forEach((item) => {
      const name = set.baselines[item.dataset.baseline].name;
      const mark = panel.marks.find((one) => one.name === name);
      const value = baselines.find((baseline) => baseline.name === name)?.value;
      item.querySelector("output").textContent =
        formatScore(value) + (mark && !mark.isNear ? ", outside" : "");
    });
  }

  function resmooth() {
    find("smooth").nextElementSibling.textContent = find("smooth").value;
    panel.update(buildLines());
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
  for (const element of article.querySelectorAll(".plot")) {
    const { metric } = element.dataset;
    const panel = new Panel(element, 260, true);
    const lines = [["", "training", 0, "5 3"], ["val_", "validation", 1, "solid"]].map(([part, label, k, dash]) =>
      makeLine(run, part + metric, "epoch", { label, dash, colour: () => pickColour(content, k) }));
    panels.push(panel);
    await panel.draw(lines, listBaselines(run.baselines, metric), "epoch", `${metric} (dashed: training)`);
  }
}
