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
const digits = (value) => (Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(3));

let words = [], charts = [], chosen = 0;

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
    word.dir = "auto";
    word.tabIndex = -1;
    word.style.setProperty("--towards", one.share >= 0 ? BLUE : ORANGE);
    word.style.setProperty("--share", Math.abs(one.share));
    word.dataset.number = k;
    return { element: word, facts: one.facts };
  });
  at("charts").replaceChildren();
  charts = content.charts.map(drawChart);
  choose(Math.min(chosen, words.length - 1), false);
}

function drawChart(chart) {
  const count = words.length, all = chart.curves.flatMap((curve) => curve.values);
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
      const corners = curve.values.map((value, k) => `${k + 0.5},${y(value)}`);
      if (count === 1) corners.unshift(`0,${y(curve.values[0])}`);
      draw(picture, "polyline", { points: corners.join(" ") }).style.stroke = colour;
    }
    const entry = add(legend, "span");
    if (!bars) add(entry, "i").style.color = colour;
    add(entry, "bdi", curve.name);
    entry.append(" ");
    return { shown: add(entry, "b"), curve };
  });
  if (bars) draw(picture, "line", { class: "zero", x1: 0, x2: count, y1: y(0), y2: y(0) });
  const here = draw(picture, "line", { class: "here", y1: 0, y2: 100 });
  picture.addEventListener("mousemove", (event) => {
    const box = picture.getBoundingClientRect();
    const k = Math.floor(((event.clientX - box.left) / box.width) * count);
    choose(Math.max(0, Math.min(count - 1, k)), false);
  });
  return { here, values };
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
    for (const { shown, curve } of values) shown.textContent = digits(curve.values[chosen]);
  }
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
let wanted = null, busy = false;

async function ask(part, text) {
  const answer = await fetch(part, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ text }),
  });
  return answer.ok ? answer.json() : { error: `The server answers with status ${answer.status}.` };
}

function say(text, isError) {
  at("state").textContent = text;
  at("state").classList.toggle("error", isError);
}

async function follow() {
  if (busy) return;
  busy = true;
  try {
    while (wanted !== null) {
      const text = wanted;
      wanted = null;
      const start = performance.now();
      const quick = await ask("/curve", text);
      if (quick.error) { say(quick.error, true); continue; }
      chosen = quick.words.length - 1;  // the word that was just typed
      show(quick);
      say(`Curve after ${Math.round(performance.now() - start)} ms; the rest follows.`, false);
      await new Promise((resume) => setTimeout(resume, PAUSE));
      if (wanted !== null) continue;
      const whole = await ask("/explain", text);
      if (wanted !== null) continue;
      if (whole.error) { say(whole.error, true); continue; }
      show(whole);
      say("Everything is computed.", false);
    }
  } catch {
    say("The server does not answer. Start make try again.", true);
  } finally {
    busy = false;
  }
}

field?.addEventListener("input", () => {
  if (!field.value.trim()) {
    wanted = null;
    at("found").hidden = true;
    say("Write something.", false);
    return;
  }
  wanted = field.value;
  follow();
});

const content = JSON.parse(at("content").textContent);
if (content) show(content);
document.documentElement.dataset.ready = "yes";
