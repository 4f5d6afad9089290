"use strict";

// The panels of a sweep: the best so far by trials and by time, and a slice per setting.
function mixColours(one, other, share) {
  const parts = (colour) => [1, 3, 5].map((k) => parseInt(colour.slice(k, k + 2), 16));
  const [first, second] = [parts(one), parts(other)];
  return `#${first.map((value, k) => Math.round(value + share * (second[k] - value)).toString(16).padStart(2, "0")).join("")}`;
}

// Seconds in a unit that is easy to read.
function chooseUnit(seconds) {
  if (seconds >= 3600) return ["hours", 3600];
  return seconds >= 120 ? ["minutes", 60] : ["seconds", 1];
}

class SweepPanel {
  // trials: columns of `list_drawn`; number: 0 by trials, 1 by time, then the settings
  constructor(element, trials, number) {
    Object.assign(this, { element, trials, number });
  }

  // The trials that this panel shows, and their places on the horizontal axis.
  choose() {
    const { trials, number } = this;
    const all = trials.score.map((_, k) => k);
    if (number === 0) return { rows: all, x: trials.number, title: "trials" };
    if (number === 1) {
      const [unit, seconds] = chooseUnit(trials.elapsed.at(-1));
      return { rows: all, x: trials.elapsed.map((value) => value / seconds), title: `${unit} of training, added up` };
    }
    const [name, isLog] = trials.settings[number - 2];
    const values = trials.values[number - 2];
    const rows = all.filter((k) => trials.has[number - 2][k]);
    const x = rows.map((k) => values[k]);
    if (x.every((value) => typeof value === "number")) return { rows, x, title: name, isLog: (isLog && Math.min(...x) > 0) || needsLog(x) };
    const texts = x.map((value) => (typeof value === "string" ? value : JSON.stringify(value)));
    return { rows, x: texts, title: name, factors: [...new Set(texts)].sort() };
  }

  async draw() {
    const { trials } = this;
    const { rows, x, title, isLog = false, factors } = this.choose();
    const y = rows.map((k) => trials.score[k]);
    // Scores of trials that were stopped early may be far from the others.
    const ended = rows.filter((k) => !trials.pruned[k]).map((k) => trials.score[k]);
    const main = ended.length > 1 ? ended : y;
    const isLogScore = needsLog(main) && Math.min(...y) > 0;
    const [low, high] = robustRange(main, y, trials.higher ? "high" : "low", isLogScore);
    const edge = 0.08 * (isLogScore ? Math.log(high / low) : high - low) || 0.1 * Math.abs(high) || 1;
    const move = (value, steps) => (isLogScore ? value * Math.exp(steps * edge) : value + steps * edge);
    const plot = Bokeh.Plotting.figure({
      height: 260, sizing_mode: "stretch_width", tools: "", toolbar_location: null, output_backend: "svg",
      x_axis_type: factors ? "auto" : isLog ? "log" : "linear", y_axis_type: isLogScore ? "log" : "linear",
      x_axis_label: title, y_axis_label: trials.title,
      ...(factors ? { x_range: new Bokeh.FactorRange({ factors }) } : {}),
      y_range: new Bokeh.Range1d({ start: move(low, -1), end: move(high, 1) }),
    });
    if (title === "trials") plot.below[0].ticker.min_interval = 1;
    const place = (value) => (value > high ? move(high, 0.6) : value < low ? move(low, -0.6) : value);
    const form = (value) => (value > high ? "triangle" : value < low ? "inverted_triangle" : "circle");
    const source = new Bokeh.ColumnDataSource({
      data: {
        x, y: y.map(place), marker: y.map(form), value: y,
        fill: rows.map((k) => (trials.pruned[k] ? 0 : 0.85)), colour: rows.map(() => "#000000"),
        label: rows.map((k) => trials.label[k]), seed: rows.map((k) => trials.seed[k]),
        number: rows.map((k) => trials.number[k]),
        state: rows.map((k) => (trials.pruned[k] ? "stopped early" : "went to its end")),
      },
    });
    if (this.number < 2) this.best = this.addBest(plot, x, y, place);
    const marks = plot.scatter({ field: "x" }, { field: "y" }, {
      source, size: 8, marker: { field: "marker" }, line_width: 1.5, line_color: { field: "colour" },
      fill_color: { field: "colour" }, fill_alpha: { field: "fill" },
    });
    marks.hover_glyph = null;
    plot.add_tools(new Bokeh.HoverTool({
      renderers: [marks],
      tooltips: [["trial", "@number: @label"], ["seed", "@seed"], ["score", "@value{0.00000}"], ["", "@state"]],
    }));
    Object.assign(this, { plot, source, rows });
    this.paint();
    this.element.replaceChildren();
    await Bokeh.Plotting.show(plot, this.element);
  }

  // The best score so far of the trials that went to their end.
  addBest(plot, x, y, place) {
    const points = { x: [], y: [] };
    let best = null;
    y.forEach((value, k) => {
      if (!this.trials.pruned[k] && (best === null || (this.trials.higher ? value > best : value < best))) best = value;
      if (best === null) return;
      points.x.push(x[k]);
      points.y.push(place(best));
    });
    const line = plot.step({ field: "x" }, { field: "y" }, "after", {
      source: new Bokeh.ColumnDataSource({ data: points }), line_width: 2,
    });
    line.hover_glyph = null;
    return line;
  }

  pickColours() {
    const { trials } = this;
    if (Object.keys(trials.styles).length) return this.rows.map((k) => pickColour(trials.styles[trials.recipe[k]]));
    const [early, late] = ["--early", "--late"].map(readStyle);
    const last = Math.max(...trials.number, 2);
    return this.rows.map((k) => mixColours(early, late, (trials.number[k] - 1) / (last - 1)));
  }

  paint() {
    paintFrame(this.plot);
    if (this.best) this.best.glyph.line_color = readStyle("--dim");
    this.source.data = { ...this.source.data, colour: this.pickColours() };
  }
}

// Draws the panels of a part when they come into view; `panels` collects them.
function drawSweeps(trials, panels) {
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      for (const element of target.querySelectorAll(".plot")) {
        const panel = new SweepPanel(element, trials[target.dataset.part], Number(element.dataset.panel));
        panel.draw().then(() => panels.push(panel));
      }
    }
  }, { rootMargin: "200px" });
  document.querySelectorAll("[data-part]").forEach((part) => seen.observe(part));
}
