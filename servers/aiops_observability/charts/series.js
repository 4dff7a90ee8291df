const NAME = "eks-aiops-series", PLAIN = ["anomalies", "forecast"];
const WIDTH = 760, HEIGHT = 170, LEFT = 58, RIGHT = 34, TOP = 18, BOTTOM = 20;

// One row of the page: a measured series.
const drawn = (row) => (numbers(row.values).length ? picture(row) : null);

function scaleOf(unit, top) {
  if (unit === "ratio") return [0.01, "%"];
  if (unit !== "bytes") return [1, unit || ""];
  for (const [size, word] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]])
    if (top >= size) return [size, word];
  return [1, "B"];
}

function highest(row) {
  let top = 0;
  for (const value of numbers(row.values)) top = Math.max(top, value);
  const measured = top;
  for (const one of row.anomalies || []) if (one.kind !== "missing") top = Math.max(top, ...numbers([one.high]));
  if (row.ahead) for (const value of numbers(row.ahead.high95)) top = Math.max(top, value);
  if (row.limit && row.limit < 3 * measured) top = Math.max(top, row.limit);
  return (top || 1) * 1.08;
}

function picture(row) {
  const top = highest(row), [size, unit] = scaleOf(row.unit, top);
  const low = Math.min(0, ...numbers(row.values));
  const first = row.first_s, past = first + row.step_s * (row.values.length - 1);
  const last = row.ahead ? row.ahead.first_s + row.ahead.step_s * (row.ahead.mean.length - 1) : past;
  const x = (s) => LEFT + ((s - first) / (last - first || 1)) * (WIDTH - LEFT - RIGHT);
  const y = (v) => TOP + (1 - (v - low) / (top - low)) * (HEIGHT - TOP - BOTTOM);
  const svg = node("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  svg.append(node("title", {}, `${row.name}: ${row.verdict || ""}`));
  for (const mark of steps(top / size)) {
    svg.append(node("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(mark * size), y2: y(mark * size) }));
    svg.append(node("text", { x: LEFT - 6, y: y(mark * size) + 3, "text-anchor": "end" }, String(+mark.toPrecision(3))));
  }
  const span = last - first, every = span > 3 * 86400 ? Math.ceil(span / 86400 / 8) * 86400 : Math.ceil(span / 3600 / 8) * 3600;
  for (let at = Math.ceil(first / every) * every; at <= last; at += every) {
    const told = new Date(at * 1000).toISOString().replace("T", " ");
    const label = every >= 86400 ? told.slice(5, 10) : span > 86400 ? told.slice(5, 16) : told.slice(11, 16);
    svg.append(node("text", { x: x(at), y: HEIGHT - 6, "text-anchor": "middle" }, label));
  }
  svg.append(node("text", { x: LEFT, y: 11 }, `${row.name} (${unit})${row.verdict ? ": " + row.verdict : ""}`));
  line(svg, "measured", row, x, y, first, past);
  for (const one of row.anomalies || []) abnormal(svg, one, row, x, y);
  if (typeof row.onset_s === "number") {
    line(svg, "abnormal", row, x, y, row.onset_s, past);
    svg.append(node("line", { class: "onset", x1: x(row.onset_s), x2: x(row.onset_s), y1: TOP, y2: HEIGHT - BOTTOM }));
  }
  if (row.limit && row.limit <= top)
    svg.append(node("line", { class: "limit", x1: LEFT, x2: WIDTH - RIGHT, y1: y(row.limit), y2: y(row.limit) }));
  if (row.ahead) ahead(svg, row.ahead, x, y);
  return svg;
}

function line(svg, kind, row, x, y, from, to) {
  let path = "", open = false;
  row.values.forEach((value, index) => {
    const at = row.first_s + index * row.step_s;
    if (value === null || at < from - row.step_s || at > to + row.step_s) { open = false; return; }
    path += `${open ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    open = true;
  });
  if (path) svg.append(node("path", { class: kind, d: path }));
}

function abnormal(svg, one, row, x, y) {
  const from = x(one.from_s), wide = Math.max(2, x(one.to_s) - from);
  if (one.kind === "missing") {
    svg.append(node("rect", { class: "gap", x: from, width: wide, y: TOP, height: HEIGHT - TOP - BOTTOM }));
    return;
  }
  if (one.high !== null && one.low !== null) {
    const high = y(one.high), low = Math.min(y(one.low), HEIGHT - BOTTOM);
    svg.append(node("rect", { class: "band", x: from, width: wide, y: high, height: Math.max(1, low - high) }));
  }
  if (one.expected !== null)
    svg.append(node("path", { class: "expected", d: `M${from} ${y(one.expected)}L${from + wide} ${y(one.expected)}` }));
  line(svg, "abnormal", row, x, y, one.from_s, one.to_s);
}

function ahead(svg, found, x, y) {
  const at = (index) => x(found.first_s + index * found.step_s);
  const point = (value, index) => `${at(index).toFixed(1)} ${y(Math.max(0, value)).toFixed(1)}`;
  for (const level of ["95", "80"]) {
    const high = found["high" + level], low = found["low" + level];
    const back = low.map((value, index) => point(value, index)).reverse();
    svg.append(node("path", { class: "band", d: "M" + high.map(point).concat(back).join("L") + "Z" }));
  }
  svg.append(node("path", { class: "forecast", d: "M" + found.mean.map(point).join("L") }));
}
