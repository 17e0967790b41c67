// The page of a server: figures every second, and its parts when they have changed.
import { html } from "htm/preact";
import { render } from "preact";
import { Chart } from "./charts.js";
import { replaceParts } from "./parts.js";

const SECONDS = 180;
const seen = { figures: null, state: "connecting", times: [], statements: [], requests: [] };
let chart = null;

function note(figures) {
  const before = seen.figures;
  seen.figures = figures;
  if (!before || figures.run !== before.run || figures.uptime_s <= before.uptime_s) {
    for (const list of [seen.times, seen.statements, seen.requests]) list.length = 0;
    return;
  }
  const seconds = figures.uptime_s - before.uptime_s;
  seen.times.push(figures.uptime_s);
  seen.statements.push(Math.max(0, figures.statements - before.statements) / seconds);
  seen.requests.push(Math.max(0, figures.requests - before.requests) / seconds);
  for (const list of [seen.times, seen.statements, seen.requests]) {
    if (list.length > SECONDS) list.shift();
  }
}

const data = () => [seen.times, seen.statements, seen.requests];

function draw() {
  const place = document.getElementById("live-chart");
  chart ??= new Chart(place, "Statements and requests a second", (axis, series) => ({
    data: data(),
    scales: { x: { time: false }, y: { range: (_, __, high) => [0, high * 1.1 || 1] } },
    axes: [axis("seconds since the start", 30), axis("a second", 55)],
    series: [{ label: "s" }, series("statements", "--link"), series("requests", "--good")],
  }));
  chart.update(data());
}

const STATES = {
  connecting: "Connecting",
  live: "Live",
  lost: "Connection lost; trying again",
  refused: "No more events; load the page again",
};

function Figures() {
  const f = seen.figures;
  const rate = (list) => (list.length > 0 ? Math.round(list[list.length - 1]).toLocaleString("en") : "–");
  const count = (key) => (f ? f[key].toLocaleString("en") : "–");
  return html`<div class="live-head">
      <p class=${`light ${seen.state}`} role="status">${STATES[seen.state]}</p>
      <dl class="facts">
        <div><dt>Statements a second</dt><dd>${rate(seen.statements)}</dd></div>
        <div><dt>Requests a second</dt><dd>${rate(seen.requests)}</dd></div>
        <div><dt>Statements</dt><dd>${count("statements")}</dd></div>
        <div><dt>Requests</dt><dd>${count("requests")}</dd></div>
        <div><dt>Sessions open</dt><dd>${count("sessions_open")}</dd></div>
        <div><dt>Records dropped</dt><dd>${count("records_dropped")}</dd></div>
      </dl>
    </div>
    <div id="live-chart"></div>`;
}

function show() {
  render(html`<${Figures} />`, document.getElementById("live"));
}

function setState(state) {
  seen.state = state;
  show();
}

export function startLive() {
  if (document.documentElement.dataset.live === undefined) return;
  show();
  const events = new EventSource(`api/v1/events${location.search}`);
  events.addEventListener("open", () => setState("live"));
  events.addEventListener("error", () => setState(events.readyState === EventSource.CLOSED ? "refused" : "lost"));
  events.addEventListener("figures", (event) => {
    note(JSON.parse(event.data));
    show();
    draw();
  });
  events.addEventListener("page", (event) => replaceParts(event.data));
}
