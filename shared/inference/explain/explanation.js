"use strict";
const SVG = "http://www.w3.org/2000/svg";
const BLUE = "86 180 233", ORANGE = "230 159 0";
const at = (id) => document.getElementById(id);
const add = (parent, name, text = "", kind = "") => {
  const element = parent.appendChild(document.createElement(name));
  if (text !== "") element.textContent = text;
  if (kind) element.className = kind;
  return element;
};
const draw = (parent, name, values) => {
  const element = parent.appendChild(document.createElementNS(SVG, name));
  for (const [key, value] of Object.entries(values)) element.setAttribute(key, value);
  return element;
};
const digits = (value) => {
  if (value === null || value === undefined) return "\u2013";
  const size = Math.abs(value);
  return size >= 10 ? value.toFixed(1) : size >= 0.01 || !size ? value.toFixed(3) : value.toPrecision(2);
};

let words = [], charts = [], byAhead = [], chosen = 0;

function show(content) {
  at("found").hidden = false;
  at("answer").textContent = content.answer;
  at("hint").textContent = content.hint;
  at("remarks").replaceChildren();
  for (const remark of content.remarks) add(at("remarks"), "li", remark);
  const text = at("text");
  text.replaceChildren();
  words = content.words.map((one, k) => {
    if (k && content.spaced) text.append(" ");
    const word = add(text, "span", one.text, one.known ? "word" : "word unknown");
    if (one.ahead) word.classList.add("ahead");
    word.dir = "auto";
    word.tabIndex = -1;
    word.dataset.number = k;
    colour(word, one.share);
    return { element: word, facts: one.facts, ahead: one.ahead };
  });
  byAhead = content.by_ahead;
  at("charts").replaceChildren();
  at("charts").classList.toggle("steps", content.charts.some((chart) => chart.ends));
  charts = content.charts.map(drawChart);
  choose(Math.min(chosen, words.length - 1), false);
}

function colour(word, share) {
  word.style.setProperty("--towards", share >= 0 ? BLUE : ORANGE);
  word.style.setProperty("--share", Math.abs(share));
}

function drawChart(chart) {
  if (chart.kind === "heat") return drawHeat(chart);
  const count = words.length, bands = chart.bands ?? [];
  const all = [...chart.curves.map((curve) => curve.values), ...bands.flatMap((band) => [band.low, band.high])]
    .flat().filter((value) => value !== null);
  const bars = chart.kind === "bars";
  const low = chart.zoomed ? Math.min(...all) : Math.min(0, ...(bars ? all : []));
  const high = chart.zoomed ? Math.max(...all) : bars ? Math.max(0, ...all) : 1;
  const range = high - low || 1;
  const y = (value) => (100 * (high - value)) / range;
  add(at("charts"), "h2", chart.title);
  const place = add(at("charts"), "div", "", "chart");
  add(place, "span", digits(high), "top");
  add(place, "span", digits(low), "bottom");
  const picture = draw(place, "svg", {
    viewBox: `0 0 ${count} 100`, preserveAspectRatio: "none", role: "img", "aria-label": chart.title,
  });
  if (chart.ends) {
    const ends = add(at("charts"), "div", "", "ends");
    for (const end of chart.ends) add(ends, "span", end);
  }
  for (const { low: lows, high: highs } of bands) drawBand(picture, lows, highs, y);
  const legend = add(at("charts"), "div", "", "legend");
  const values = chart.curves.map((curve, n) => {
    const colour = `var(--c${n % 7})`;
    if (bars) {
      curve.values.forEach((value, k) => {
        const bar = draw(picture, "rect", {
          x: k + 0.1, width: 0.8, y: y(Math.max(value, 0)), height: (100 * Math.abs(value)) / range,
        });
        bar.style.fill = value >= 0 ? "var(--c0)" : "var(--c1)";
      });
    } else {
      draw(picture, "path", { d: trace(curve, chart.curves[0].values, y) }).style.stroke = colour;
    }
    const entry = add(legend, "span");
    if (!bars) add(entry, "i").style.color = colour;
    return nameEntry(entry, curve.name, (k) => digits(curve.values[k]));
  });
  for (const band of bands) {
    const entry = add(legend, "span");
    add(entry, "i", "", "band");
    const ends = (k) => (band.low[k] === null ? digits(null) : `${digits(band.low[k])} to ${digits(band.high[k])}`);
    values.push(nameEntry(entry, band.name, ends));
  }
  if (bars) draw(picture, "line", { class: "zero", x1: 0, x2: count, y1: y(0), y2: y(0) });
  return { here: follow(picture, 100), values };
}

// A line that starts again after each gap. One that joins begins at the last value of another.
function trace(curve, before, y) {
  const corners = curve.values.map((value, k) => (value === null ? null : `${k + 0.5},${y(value)}`));
  if (corners.length === 1 && corners[0]) return `M0,${y(curve.values[0])}L${corners[0]}`;
  let path = "", open = false;
  if (curve.joins) {
    const first = corners.findIndex((corner) => corner !== null);
    const last = before.slice(0, first).findLastIndex((value) => value !== null);
    if (last >= 0) {
      path = `M${last + 0.5},${y(before[last])}`;
      open = true;
    }
    corners.splice(0, first);
  }
  for (const corner of corners) {
    if (corner) path += open ? `L${corner}` : `M${corner}L${corner}`;
    open = corner !== null;
  }
  return path;
}

function drawBand(picture, lows, highs, y) {
  const places = lows.map((value, k) => k).filter((k) => lows[k] !== null);
  if (!places.length) return;
  // As wide as its steps, so that a band of one step is seen.
  const points = places.flatMap((k) => [`${k},${y(highs[k])}`, `${k + 1},${y(highs[k])}`]);
  points.push(...places.flatMap((k) => [`${k},${y(lows[k])}`, `${k + 1},${y(lows[k])}`].reverse()).reverse());
  draw(picture, "polygon", { points: points.join(" "), class: "band" });
}

function drawHeat(chart) {
  const count = words.length, rows = chart.curves.length;
  add(at("charts"), "h2", chart.title);
  const place = add(at("charts"), "div", "", "chart heat");
  place.style.setProperty("--rows", rows);
  const values = chart.curves.map((row, n) => {
    const label = add(place, "span", "", "row");
    label.style.setProperty("--row", n);
    label.title = row.name;
    return nameEntry(label, row.name, (k) => (row.values[k] === null ? "" : digits(row.values[k])));
  });
  const picture = draw(place, "svg", {
    viewBox: `0 0 ${count} ${rows}`, preserveAspectRatio: "none", role: "img", "aria-label": chart.title,
  });
  chart.curves.forEach((row, n) => row.values.forEach((value, k) => {
    if (!value) return;
    const cell = draw(picture, "rect", { x: k, y: n, width: 1, height: 1 });
    cell.style.fill = value >= 0 ? "var(--c0)" : "var(--c1)";
    cell.style.fillOpacity = Math.abs(value) / chart.largest;
  }));
  return { here: follow(picture, rows), values };
}

// A name in a legend, and what it has at the chosen place.
function nameEntry(entry, text, read) {
  add(entry, "bdi", text);
  entry.append(" ");
  return { shown: add(entry, "b"), read };
}

// The mouse chooses a place; the line that is returned marks it.
function follow(picture, height) {
  const count = words.length;
  picture.addEventListener("mousemove", (event) => {
    const box = picture.getBoundingClientRect();
    const k = Math.floor(((event.clientX - box.left) / box.width) * count);
    choose(Math.max(0, Math.min(count - 1, k)), false);
  });
  return draw(picture, "line", { class: "here", y1: 0, y2: height });
}

function choose(k, focus) {
  words[chosen]?.element.classList.remove("on");
  if (words[chosen]) words[chosen].element.tabIndex = -1;
  chosen = Math.max(0, k);
  const word = words[chosen];
  if (!word) return;
  word.element.classList.add("on");
  word.element.tabIndex = 0;
  if (focus) word.element.focus();
  const list = document.createElement("dl");
  for (const [name, value] of word.facts) {
    const pair = add(list, "div");
    add(pair, "dt", name);
    add(pair, "dd", value).dir = "auto";
  }
  at("facts").replaceChildren(list);
  for (const { here, values } of charts) {
    here.setAttribute("x1", chosen + 0.5);
    here.setAttribute("x2", chosen + 0.5);
    for (const { shown, read } of values) shown.textContent = read(chosen);
  }
  if (!word.ahead || !byAhead.length) return;
  const near = (group) => Math.abs(group.word - chosen);
  const { shares } = byAhead.reduce((best, group) => (near(group) < near(best) ? group : best));
  words.forEach(({ element }, n) => colour(element, shares[n]));
}

const find = (event) => event.target.closest?.(".word");
for (const name of ["mouseover", "focusin", "click"]) {
  at("text").addEventListener(name, (event) => {
    const word = find(event);
    if (word) choose(Number(word.dataset.number), false);
  });
}
at("text").addEventListener("keydown", (event) => {
  const last = words.length - 1;
  const next = { ArrowRight: chosen + 1, ArrowLeft: chosen - 1, Home: 0, End: last }[event.key];
  if (next === undefined || next < 0 || next > last) return;
  event.preventDefault();
  choose(next, true);
});

const field = at("field");
const PAUSE = 300;  // milliseconds without a key, before the slow part is computed
let wanted = null, asking = false;  // the next curve
let keys = 0, timer = null, waiting = null, explaining = false;

async function ask(part, text) {
  const found = await fetch(part, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ text }),
  });
  return found.ok ? found.json() : { error: `The server answers with status ${found.status}.` };
}

function say(text, isError) {
  at("state").textContent = text;
  at("state").classList.toggle("error", isError);
}

// One curve after the other; of several texts, the last one counts.
async function answer() {
  if (asking) return;
  asking = true;
  try {
    while (wanted !== null) {
      const text = wanted, start = performance.now();
      wanted = null;
      const quick = await ask("/curve", text);
      if (quick.error) { say(quick.error, true); continue; }
      chosen = quick.cursor ?? quick.words.length - 1;  // the word that was just typed
      show(quick);
      say(`Curve after ${Math.round(performance.now() - start)} ms; the rest follows.`, false);
      const number = keys;
      clearTimeout(timer);
      timer = setTimeout(() => { waiting = { text, number }; explain(); }, PAUSE);
    }
  } catch {
    say("The server does not answer. Start make try again.", true);
  } finally {
    asking = false;
  }
}

// The slow part. It never holds up a curve, and is dropped if a key came meanwhile.
async function explain() {
  if (explaining) return;
  explaining = true;
  try {
    while (waiting) {
      const { text, number } = waiting;
      waiting = null;
      if (number !== keys) continue;
      const whole = await ask("/explain", text);
      if (number !== keys) continue;
      if (whole.error) { say(whole.error, true); continue; }
      show(whole);
      say("Everything is computed.", false);
    }
  } catch {
    say("The server does not answer. Start make try again.", true);
  } finally {
    explaining = false;
  }
}

function read() {
  keys += 1;
  if (!field.value.trim()) {
    wanted = null;
    at("found").hidden = true;
    say(field.dataset.request, false);
    return;
  }
  wanted = field.value;
  answer();
}

field?.addEventListener("input", read);
if (field?.value.trim()) read();

const content = JSON.parse(at("content").textContent);
if (content) {
  chosen = content.cursor ?? 0;
  show(content);
}
document.documentElement.dataset.ready = "yes";
