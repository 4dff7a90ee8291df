const NAME = "eks-aiops-story", PLAIN = ["timeline", "audit"];
const WIDTH = 760, LEFT = 210, RIGHT = 24, TOP = 22, ROW = 22;

const drawn = (row) => (row.kind === "run" ? run(row) : row.kind === "timeline" ? timeline(row) : null);
const short = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);
const isTime = (n) => typeof n === "number" && isFinite(n);
const spanned = (s) => (s < 90 ? `${Math.round(s)} s` : s < 5400 ? `${Math.round(s / 60)} min` : `${(s / 3600).toFixed(1)} h`);
const clock = (s, fine) => new Date(s * 1000).toISOString().slice(11, fine ? 19 : 16);

function element(name, text, inside) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  if (inside) made.append(...inside.filter(Boolean));
  return made;
}

// The frame: names on the left, an axis of time above.
function frame(label, names, low, high) {
  const tall = TOP + ROW * names.length + 8, wide = high - low || 1;
  const x = (s) => LEFT + ((s - low) / wide) * (WIDTH - LEFT - RIGHT);
  const svg = node("svg", { viewBox: `0 0 ${WIDTH} ${tall}`, role: "img" });
  svg.append(node("title", {}, label));
  for (let at = 0; at <= 4; at += 1) {
    const s = low + (wide * at) / 4;
    svg.append(node("line", { class: "grid", x1: x(s), x2: x(s), y1: TOP - 4, y2: tall - 6 }));
    const anchor = at === 0 ? "start" : at === 4 ? "end" : "middle";
    svg.append(node("text", { x: x(s), y: 12, "text-anchor": anchor }, clock(s, wide < 900)));
  }
  names.forEach((name, at) => {
    const said = node("text", { x: LEFT - 10, y: TOP + ROW * at + 14, "text-anchor": "end" }, short(name, 34));
    said.append(node("title", {}, name));
    svg.append(said);
  });
  return [svg, x];
}

function hatched(svg) {
  const made = node("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
  made.append(node("line", { class: "hatch", x1: 0, y1: 0, x2: 0, y2: 6 }));
  const kept = node("defs", {});
  kept.append(made);
  svg.append(kept);
}

function run(row) {
  const steps = row.steps || [];
  const times = steps.flatMap((one) => [one.from_s, one.to_s]).concat(row.from_s, row.to_s).filter(isTime);
  const low = Math.min(...times), high = Math.max(...times, low + 1);
  const [svg, x] = frame("Steps of the run", steps.map((one) => one.title), times.length ? low : 0, times.length ? high : 1);
  hatched(svg);
  steps.forEach((one, at) => bar(svg, x, one, TOP + ROW * at, high));
  const list = steps.filter((one) => one.action || one.back).map((one) =>
    element("li", `${one.back ? "↺" : "◆"} ${one.title}: ${one.says || one.state}`));
  const phases = Object.entries(row.phases_s || {}).map(([name, s]) => `${name} ${spanned(s)}`).join(", ");
  return element("div", "", [
    row.waiting && element("div", "", [
      element("div", `Waits: ${row.waiting.says}`),
      row.waiting.how && element("code", row.waiting.how),
      row.waiting.until && element("div", `until ${row.waiting.until}`),
    ]),
    svg,
    list.length && element("ul", "", list),
    phases && element("p", phases),
    row.left_out && element("p", `${row.left_out} more steps are not drawn`),
  ].map((one, at) => { if (at === 0 && one) one.className = "box"; return one; }));
}

function bar(svg, x, one, y, high) {
  const middle = y + 14;
  if (!isTime(one.from_s)) {
    svg.append(node("text", { class: "quiet", x: LEFT, y: middle }, one.state));
    return;
  }
  const to = isTime(one.to_s) ? one.to_s : high, from = x(one.from_s), wide = Math.max(3, x(to) - from);
  const made = node("rect", { class: one.state, x: from, width: wide, y: y + 4, height: ROW - 8, rx: 2 });
  const took = spanned(Math.max(0, to - one.from_s));
  made.append(node("title", {}, [one.title, one.state, took, one.says].filter(Boolean).join("; ")));
  svg.append(made);
  const mark = (one.back ? "↺ " : one.action ? "◆ " : "") + (one.state === "done" ? took : `${one.state}, ${took}`);
  const right = from + wide + 6 + mark.length * 5.5 < WIDTH;
  svg.append(node("text", { class: "effect", x: right ? from + wide + 5 : from - 5, y: middle, "text-anchor": right ? "start" : "end" }, mark));
}

function timeline(row) {
  const marks = (row.marks || []).filter((one) => isTime(one.at_s));
  if (!marks.length) return element("p", "Nothing with a time is known.");
  const lanes = [...new Set(marks.map((one) => one.lane))];
  const low = Math.min(...marks.map((one) => one.at_s)), high = Math.max(...marks.map((one) => one.at_s), low + 60);
  const [svg, x] = frame("What happened when", lanes, low, high);
  const chain = marks.filter((one) => one.link).sort((a, b) => a.link - b.link);
  for (const one of [...marks.filter((m) => !m.link), ...chain]) {
    const y = TOP + ROW * lanes.indexOf(one.lane) + ROW / 2;
    const made = node("circle", { class: one.link ? "mark link" : "mark", cx: x(one.at_s), cy: y, r: one.link ? 8 : 4 });
    made.append(node("title", {}, `${clock(one.at_s, true)} ${one.what}`));
    svg.append(made);
    if (one.link) svg.append(node("text", { class: "number", x: x(one.at_s), y: y + 3.5, "text-anchor": "middle" }, one.link));
  }
  return element("div", "", [
    svg,
    chain.length && element("ol", "", chain.map((one) => element("li", `${clock(one.at_s)} ${one.what}`))),
    row.left_out && element("p", `${row.left_out} more marks are not drawn`),
  ]);
}
