const NAME = "eks-aiops-money", PLAIN = ["effects", "costs"];
const WIDTH = 760, HEIGHT = 220, LEFT = 64, RIGHT = 14, TOP = 18, BOTTOM = 34;

const drawn = (row) => (row.kind === "waterfall" ? waterfall(row) : row.kind === "stacked" ? stacked(row) : null);
const finite = (value) => (typeof value === "number" && isFinite(value) ? value : 0);
const money = (value) => value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const short = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);

// The frame: an amount's axis with its lines, from zero or from below it.
function frame(label, low, top, extra) {
  const y = (v) => TOP + (1 - (v - low) / (top - low || 1)) * (HEIGHT - TOP - BOTTOM);
  const svg = node("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT + extra}`, role: "img" });
  svg.append(node("title", {}, label));
  const marks = steps(Math.max(top, -low) || 1);
  for (const mark of marks.concat(low < 0 ? marks.slice(1).map((m) => -m) : [])) {
    if (mark < low || mark > top) continue;
    svg.append(node("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(mark), y2: y(mark) }));
    svg.append(node("text", { x: LEFT - 6, y: y(mark) + 3, "text-anchor": "end" }, mark.toLocaleString("en-US")));
  }
  svg.append(node("text", { x: LEFT, y: 11 }, label));
  return [svg, y];
}

function bar(svg, kind, x, wide, from, to, y, says) {
  const high = y(Math.max(from, to)), low = y(Math.min(from, to));
  const made = node("rect", { class: kind, x, width: wide, y: high, height: Math.max(0.5, low - high) });
  made.append(node("title", {}, says));
  svg.append(made);
}

function waterfall(row) {
  const parts = row.parts || [], steps = [{ ...row.before, whole: true }, ...parts, { ...row.after, whole: true }];
  const spans = [];
  let level = finite(row.before.value);
  for (const one of steps) {
    const value = finite(one.value);
    if (one.whole) spans.push([0, value]);
    else spans.push([level, (level += value)]);
  }
  const ends = spans.flat(), low = Math.min(0, ...ends), top = Math.max(0, ...ends) * 1.1 || 1;
  const [svg, y] = frame(row.unit, low, top, 0);
  const each = (WIDTH - LEFT - RIGHT) / steps.length, wide = each * 0.64;
  steps.forEach((one, at) => {
    const x = LEFT + each * at + (each - wide) / 2, [from, to] = spans[at], value = finite(one.value);
    const said = (one.whole || value <= 0 ? "" : "+") + money(value);
    bar(svg, one.whole ? "total" : value > 0 ? "dearer" : "cheaper", x, wide, from, to, y, `${one.name}: ${said}`);
    svg.append(node("text", { x: x + wide / 2, y: y(Math.max(from, to)) - 4, "text-anchor": "middle" }, said));
    const room = Math.max(6, Math.floor(each / 5.4));
    svg.append(node("text", { x: x + wide / 2, y: HEIGHT - 18, "text-anchor": "middle" }, short(one.name, room)));
    if (at + 1 < steps.length)
      svg.append(node("line", { class: "link", x1: x + wide, x2: x + each, y1: y(to), y2: y(to) }));
  });
  return svg;
}

function stacked(row) {
  const days = row.days || [], series = row.series || [];
  const up = days.map(() => 0), down = days.map(() => 0);
  for (const one of series)
    days.forEach((_, at) => { const v = finite(one.values[at]); if (v >= 0) up[at] += v; else down[at] += v; });
  const [svg, y] = frame(`${row.unit} a day`, Math.min(0, ...down), Math.max(0, ...up) * 1.05 || 1, 18 * Math.ceil(series.length / 3));
  const each = (WIDTH - LEFT - RIGHT) / (days.length || 1), highs = days.map(() => 0), lows = days.map(() => 0);
  series.forEach((one, number) => {
    days.forEach((day, at) => {
      const value = finite(one.values[at]), from = value >= 0 ? highs[at] : lows[at];
      if (value >= 0) highs[at] += value; else lows[at] += value;
      const kind = `part${number % 6}${row.unsettled && row.unsettled[at] ? " may-change" : ""}`;
      if (value) bar(svg, kind, LEFT + each * at, each * 0.86, from, from + value, y, `${day} ${one.name}: ${money(value)}`);
    });
    const x = LEFT + (number % 3) * 220, line = HEIGHT + 4 + 18 * Math.floor(number / 3);
    svg.append(node("rect", { class: `part${number % 6}`, x, y: line - 8, width: 9, height: 9 }));
    svg.append(node("text", { x: x + 14, y: line }, short(one.name, 34)));
  });
  const every = Math.max(1, Math.ceil(days.length / 9));
  days.forEach((day, at) => {
    if (at % every === 0)
      svg.append(node("text", { x: LEFT + each * (at + 0.43), y: HEIGHT - 18, "text-anchor": "middle" }, day.slice(5)));
  });
  return svg;
}
