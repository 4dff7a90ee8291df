"use strict";
// A page of the extension io.modelcontextprotocol/ui. It asks nothing of anybody: the host hands it the
// result of the call. All text is set as text, never as markup.
const KEY = "eks-aiops/view";
const byId = (id) => document.getElementById(id);

// The namespace of SVG, from an element that the parser made: no address stands in this page.
const SVG = document.querySelector("svg").namespaceURI;

function node(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

function steps(top) {
  const rough = top / 4, size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * size).find((n) => n >= rough);
  const found = [];
  for (let at = 0; at <= top * 1.0001; at += step) found.push(at);
  return found;
}

const numbers = (list) => (list || []).filter((n) => typeof n === "number" && isFinite(n));

// Hosts that keep _meta to themselves: the answer's own table.
function table(found) {
  const made = document.createElement("table"), head = made.insertRow();
  for (const name of found.columns) {
    const cell = document.createElement("th");
    cell.textContent = name;
    head.append(cell);
  }
  for (const row of found.rows.slice(0, 40)) {
    const line = made.insertRow();
    for (const value of row) line.insertCell().textContent = value === null ? "" : String(value);
  }
  return made;
}

function show(result) {
  const answer = result.structuredContent || {}, data = (result._meta || {})[KEY];
  const rows = byId("rows");
  byId("title").textContent = data ? data.title : "Answer";
  byId("summary").textContent = result.isError ? "The call failed." : answer.summary || "";
  rows.replaceChildren();
  if (data) for (const row of data.rows) rows.append(...[drawn(row)].filter(Boolean));
  const plain = PLAIN.map((name) => answer[name]).find((found) => found && found.columns && found.rows);
  if (!data && plain) rows.append(table(plain));
  byId("key").hidden = !data;
  tell("ui/notifications/size-changed", { width: document.body.scrollWidth, height: document.documentElement.offsetHeight });
}

const host = window.parent;
const send = (message) => host.postMessage({ jsonrpc: "2.0", ...message }, "*");
const tell = (method, params) => send({ method, params });
const themed = (context) => {
  if (context && context.theme) document.documentElement.dataset.theme = context.theme;
};
window.addEventListener("message", (event) => {
  const said = event.data;
  if (event.source !== host || !said || said.jsonrpc !== "2.0") return;
  if (said.id === 1 && said.result) {
    themed(said.result.hostContext);
    tell("ui/notifications/initialized", {});
  } else if (said.method === "ui/notifications/tool-result") show(said.params || {});
  else if (said.method === "ui/notifications/host-context-changed") themed(said.params);
  else if (said.id !== undefined && said.method) send({ id: said.id, result: {} });
});
send({
  id: 1,
  method: "ui/initialize",
  params: { protocolVersion: "2026-01-26", appInfo: { name: NAME, version: "1" }, appCapabilities: {} },
});
