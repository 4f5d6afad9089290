"use strict";

// One pair of axes with its curves, its baselines and a mark for each outlier.
const DASHES = ["solid", "8 4", "2 3", "8 3 2 3"];
const BASELINE_DASHES = ["2 3", "7 4", "7 3 2 3", "1 5", "12 5", "7 3 2 3 2 3"];
// The three constants and `robustRange` are those of shared/plots/scale.py.
const FENCE = 3; // quartile distances beyond the quartiles from which on a value is an outlier
const NEAR = 0.25; // share of the range within which a baseline still widens it
const NEAR_BEST = 3; // the same for the best baseline, which a reader wants to see most
const WIDE = 20; // an axis is logarithmic above this ratio of highest to lowest value
const darkness = window.matchMedia("(prefers-color-scheme: dark)");
const coarse = window.matchMedia("(pointer: coarse)").matches;

function readStyle(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function pickColour(style) {
  return darkness.matches ? style.dark : style.light;
}

// Axes and ground of a plot in the colours of the page, light or dark.
function paintFrame(plot) {
  const [text, dim, back, line] = ["--text", "--dim", "--back", "--line"].map(readStyle);
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
}

function formatScore(value) {
  if (value === null || value === undefined) return "-";
  return value === 0 || Math.abs(value) >= 0.001 ? value.toFixed(4) : value.toExponential(1);
}

function listFinite(values, isLog) {
  const known = values.filter((value) => Number.isFinite(value) && (!isLog || value > 0));
  return isLog ? known.map(Math.log) : known;
}

// The value below which a share of sorted values lies, between neighbours if needed.
function findQuantile(sorted, share) {
  const place = share * (sorted.length - 1), k = Math.floor(place);
  return sorted[k] + (place - k) * ((sorted[k + 1] ?? sorted[k]) - sorted[k]);
}

// Lowest and highest value that a panel shows, without outliers. `keep` ("low" or "high")
// names the end of the better scores, which loses none.
function robustRange(values, near = [], keep = "", isLog = false) {
  const known = listFinite(values, isLog).sort((one, other) => one - other);
  if (!known.length) return [0, 1];
  const lower = findQuantile(known, 0.25), upper = findQuantile(known, 0.75);
  let low = known[0], high = known.at(-1);
  const reach = FENCE * (upper - lower);
  if (reach > 0) {
    if (keep !== "low") low = Math.max(low, lower - reach);
    if (keep !== "high") high = Math.min(high, upper + reach);
  }
  const room = NEAR * (high - low);
  const others = listFinite(near, isLog);
  const close = others.filter((one) => one >= low - room && one <= high + room);
  if (keep && others.length) {
    const best = keep === "high" ? Math.max(...others) : Math.min(...others);
    const more = NEAR_BEST * (high - low);
    if (best >= low - more && best <= high + more) close.push(best);
  }
  low = Math.min(low, ...close);
  high = Math.max(high, ...close);
  return isLog ? [Math.exp(low), Math.exp(high)] : [low, high];
}

// A few high outliers do not make an axis logarithmic.
function needsLog(values) {
  const known = listFinite(values, false);
  const lowest = Math.min(...known);
  if (!known.length || lowest <= 0 || Math.max(...known) <= WIDE * lowest) return false;
  const [low, high] = robustRange(known, [], "", true);
  return high > WIDE * low;
}

class Panel {
  // keep: the better end of the axis, see `robustRange`.
  constructor(element, height, isSmall) {
    Object.assign(this, { element, height, isSmall, lines: [], marks: [], keep: "", isWhole: false });
  }

  // lines: from `makeLine` and `makeMean`; baselines: {name, value, isBestAchievable}
  async draw(lines, baselines, across, title) {
    const shown = lines.filter((line) => line.visible);
    const isLog = needsLog((shown.length ? shown : lines).flatMap((line) => line.y));
    const plot = Bokeh.Plotting.figure({
      height: this.height, sizing_mode: "stretch_width", y_axis_type: isLog ? "log" : "linear",
      tools: this.isSmall ? "" : "pan,wheel_zoom,box_zoom,reset,save",
      toolbar_location: this.isSmall ? null : "above",
      x_range: new Bokeh.Range1d({ start: 0, end: 1 }),
      y_range: new Bokeh.Range1d({ start: 0.1, end: 1 }),
      x_axis_label: across, y_axis_label: title, output_backend: "svg",
    });
    if (across === "epoch") plot.below[0].ticker.min_interval = 1; // no half epochs
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
      const band = line.low && plot.varea({ field: "x" }, { field: "low" }, { field: "high" }, {
        source, fill_alpha: 0.15, level: "underlay",
      });
      const curve = plot.line({ field: "x" }, { field: "y" }, { source, line_width: 2, line_dash: line.dash });
      const dots = plot.scatter({ field: "x" }, { field: "y" }, {
        source, size: line.y.length > 60 ? 3 : 6, line_color: null,
      });
      // Bokeh would draw a hovered point blue, and not the rest of its line.
      for (const glyph of [band, curve, dots]) if (glyph) glyph.hover_glyph = null;
      return { ...line, source, band, curve, dots };
    });
    this.far = new Bokeh.ColumnDataSource({ data: this.fillFar([]) });
    const far = plot.scatter({ field: "x" }, { field: "y" }, {
      source: this.far, size: 11, marker: { field: "marker" }, line_color: null, fill_color: { field: "colour" },
    });
    far.hover_glyph = null;
    const facts = [["run", "@label"], ["seed", "@seed"], ["epoch", "@epoch"], ["value", "@raw{0.00000}"]];
    const more = [["smoothed", "@y{0.00000}"], ["seconds", "@seconds{0.0}"]];
    plot.add_tools(new Bokeh.HoverTool({ renderers: this.lines.map((line) => line.dots), tooltips: [...facts, ...more] }));
    plot.add_tools(new Bokeh.HoverTool({ renderers: [far], tooltips: [...facts, ["", "@sentence"]] }));
    if (this.marks.length) {
      plot.add_tools(new Bokeh.HoverTool({
        renderers: this.marks.map((mark) => mark.glyph), tooltips: [["", "@name"], ["value", "@y{0.00000}"]],
      }));
    }
    Object.assign(this, { plot, isLog });
    this.fit();
    this.paint();
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

  // Fits the axes to the visible curves without outliers, and the baselines near them.
  fit() {
    const shown = this.lines.filter((line) => line.visible);
    const y = shown.flatMap((line) => [line.y, line.low ?? [], line.high ?? []].flat())
      .filter((value) => Number.isFinite(value) && (!this.isLog || value > 0));
    const x = shown.flatMap((line) => line.x).filter((value) => Number.isFinite(value));
    if (!y.length) return;
    const near = this.marks.filter((mark) => mark.glyph.visible).map((mark) => mark.value);
    const range = this.isWhole ? [Math.min(...y), Math.max(...y)] : robustRange(y, near, this.keep, this.isLog);
    const on = this.isLog ? Math.log10 : (value) => value;
    const off = this.isLog ? (value) => 10 ** value : (value) => value;
    const [low, high] = range.map(on);
    const edge = 0.06 * (high - low || Math.abs(high) * 0.1 || 1);
    const right = Math.max(...x), left = Math.min(...x);
    const margin = 0.03 * (right - left || 1);
    const set = (axis, start, end) => Object.assign(axis, { start, end, reset_start: start, reset_end: end });
    set(this.plot.y_range, off(low - edge), off(high + edge));
    set(this.plot.x_range, left - margin, right + margin);
    const [bottom, top] = [off(low - edge), off(high + edge)];
    for (const mark of this.marks) mark.isNear = mark.value >= bottom && mark.value <= top;
    const outside = (value) => Number.isFinite(value) && (value < bottom || value > top);
    const points = shown.flatMap((line) => line.y.flatMap((value, k) => (outside(value) ? [{ line, k, value }] : [])));
    this.far.data = this.fillFar(points, off(low - 0.6 * edge), off(high + 0.6 * edge));
  }

  // A triangle at the border for each point that is outside.
  fillFar(points, low, high) {
    const isHigh = ({ value }) => value > high;
    return {
      x: points.map(({ line, k }) => line.x[k]),
      y: points.map((point) => (isHigh(point) ? high : low)),
      marker: points.map((point) => (isHigh(point) ? "triangle" : "inverted_triangle")),
      colour: points.map(({ line }) => line.colour()),
      label: points.map(({ line }) => line.label),
      seed: points.map(({ line }) => line.seed),
      epoch: points.map(({ line, k }) => line.epoch[k]),
      raw: points.map(({ line, k }) => line.raw[k]),
      sentence: points.map((point) =>
        `This value is far ${isHigh(point) ? "above" : "below"} most others, so it lies outside the picture.`),
    };
  }

  showBaselines(isVisible) {
    for (const mark of this.marks) mark.glyph.visible = isVisible;
  }

  // Colours of the page, light or dark.
  paint() {
    paintFrame(this.plot);
    const [dim, best] = ["--dim", "--best"].map(readStyle);
    for (const one of this.lines) {
      const colour = one.colour();
      one.curve.glyph.line_color = colour;
      one.dots.glyph.fill_color = colour;
      if (one.band) one.band.glyph.fill_color = colour;
    }
    for (const mark of this.marks) mark.glyph.glyph.line_color = mark.isBestAchievable ? best : dim;
    this.fit();
  }
}
