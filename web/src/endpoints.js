// The table of endpoints sorted and filtered; how is told by the address, so that it can be passed on:
// #endpoints?q=orders&level=high&sort=5&dir=desc
import { html } from "htm/preact";
import { render } from "preact";
import { onParts } from "./parts.js";

const LEVELS = ["critical", "high", "medium", "low"];
const state = { q: "", level: "", sort: 0, dir: "" };
let shown = [0, 0];

const table = () => document.getElementById("endpoint-table");
const rowsOf = () => [...document.getElementById("endpoint-rows").rows].filter((row) => !row.classList.contains("empty"));

function readAddress() {
  const [id, query] = location.hash.slice(1).split("?");
  if (id !== "endpoints" || query === undefined) return false;
  const given = new URLSearchParams(query);
  state.q = given.get("q") ?? "";
  state.level = LEVELS.includes(given.get("level")) ? given.get("level") : "";
  state.dir = ["asc", "desc"].includes(given.get("dir")) ? given.get("dir") : "";
  state.sort = Number.parseInt(given.get("sort") ?? "0", 10) || 0;
  if (!table().tHead.rows[0].cells[state.sort]) state.sort = 0;
  return true;
}

function writeAddress() {
  const given = new URLSearchParams();
  if (state.q) given.set("q", state.q);
  if (state.level) given.set("level", state.level);
  if (state.dir) {
    given.set("sort", state.sort);
    given.set("dir", state.dir);
  }
  const query = given.toString();
  history.replaceState(null, "", query ? `#endpoints?${query}` : "#endpoints");
}

function matches(row) {
  if (!row.cells[0].textContent.toLowerCase().includes(state.q.toLowerCase())) return false;
  const wanted = LEVELS.slice(0, LEVELS.indexOf(state.level) + 1);
  return state.level === "" || wanted.some((level) => row.querySelector(`.badge.${level}`));
}

// Names by their text, numbers by their value, what has none last.
function compare(a, b) {
  const [x, y] = [a.cells[state.sort], b.cells[state.sort]];
  const sign = state.dir === "desc" ? -1 : 1;
  if (state.sort === 0) return sign * x.textContent.localeCompare(y.textContent);
  const [v, w] = [x.dataset.v, y.dataset.v];
  if (v === undefined || w === undefined) return (v === undefined) - (w === undefined);
  return sign * (Number(v) - Number(w));
}

function apply() {
  const rows = rowsOf();
  rows.forEach((row, i) => {
    row.dataset.i ??= i;
    row.hidden = !matches(row);
  });
  const order = [...rows].sort(state.dir ? compare : (a, b) => a.dataset.i - b.dataset.i);
  if (order.some((row, i) => row !== rows[i])) document.getElementById("endpoint-rows").append(...order);
  [...table().tHead.rows[0].cells].forEach((cell, i) => {
    const by = i === state.sort && state.dir;
    if (by) cell.setAttribute("aria-sort", state.dir === "asc" ? "ascending" : "descending");
    else cell.removeAttribute("aria-sort");
  });
  shown = [rows.filter((row) => !row.hidden).length, rows.length];
  show();
}

function change(part) {
  Object.assign(state, part);
  writeAddress();
  apply();
}

// Largest first for numbers, A first for names; then the other way; then as it was.
function sortBy(column) {
  const ways = column === 0 ? ["asc", "desc", ""] : ["desc", "asc", ""];
  const next = state.sort === column ? ways[(ways.indexOf(state.dir) + 1) % ways.length] : ways[0];
  change({ sort: next ? column : 0, dir: next });
}

function Toolbar() {
  return html`<form class="toolbar" onSubmit=${(event) => event.preventDefault()}>
    <label>Name has
      <input type="search" value=${state.q} onInput=${(event) => change({ q: event.currentTarget.value })} />
    </label>
    <label>Findings
      <select value=${state.level} onChange=${(event) => change({ level: event.currentTarget.value })}>
        <option value="">any or none</option>
        ${LEVELS.map((level) => html`<option value=${level} key=${level}>${level}${level === "critical" ? "" : " and worse"}</option>`)}
      </select>
    </label>
    <output aria-live="polite">${shown[0]} of ${shown[1]}</output>
  </form>`;
}

function show() {
  render(html`<${Toolbar} />`, document.getElementById("filter"));
}

function addButtons() {
  [...table().tHead.rows[0].cells].forEach((cell, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = cell.textContent;
    button.addEventListener("click", () => sortBy(i));
    cell.replaceChildren(button);
  });
}

export function startEndpoints() {
  addButtons();
  readAddress();
  onParts(apply);
  addEventListener("hashchange", () => {
    if (readAddress()) apply();
  });
}
