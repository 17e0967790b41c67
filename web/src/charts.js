// Lines, by uPlot: how statements grow with rows, and a server's figures.
import uPlot from "uplot";
import { onParts } from "./parts.js";
import { onTheme } from "./theme.js";

const HEIGHT = 200;
const drawn = new Set();

// As it is in this theme: a canvas knows no variables.
function color(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function axis(label, size) {
  return {
    label,
    size,
    stroke: color("--muted"),
    grid: { stroke: color("--line"), width: 1 },
    ticks: { stroke: color("--line"), width: 1 },
    labelSize: 20,
    font: "12px system-ui",
    labelFont: "12px system-ui",
  };
}

const series = (label, name, more) => ({ label, stroke: color(name), width: 2, points: { show: false }, ...more });

// A chart in an element, drawn again when colours or the room for it change.
export class Chart {
  constructor(place, label, make) {
    this.place = place;
    this.make = make;
    this.place.setAttribute("role", "img");
    this.place.setAttribute("aria-label", label);
    this.plot = null;
    drawn.add(this);
  }

  draw() {
    const width = this.place.clientWidth;
    if (width === 0) return;
    const { data, ...options } = this.make(axis, series);
    this.plot?.destroy();
    this.plot = new uPlot({ width, height: HEIGHT, cursor: { show: false }, legend: { live: false }, ...options }, data, this.place);
  }

  update(data) {
    if (this.plot && this.plot.width === this.place.clientWidth) this.plot.setData(data);
    else this.draw();
  }
}

function redraw() {
  for (const chart of drawn) {
    if (!chart.place.isConnected) drawn.delete(chart);
    else if (chart.plot) chart.draw();
  }
}

function growthOf({ base, slope, from, to, after }) {
  const rows = Array.from({ length: 21 }, (_, i) => Number(from) + (i / 20) * (Number(to) - Number(from)));
  const now = rows.map((n) => Number(base) + Number(slope) * n);
  return (axes, line) => ({
    data: [rows, now, rows.map(() => Number(after))],
    scales: { x: { time: false }, y: { range: (_, __, high) => [0, high * 1.1 || 1] } },
    axes: [axes("rows of the parent", 30), axes("statements a request", 45)],
    series: [{ label: "rows" }, line("now", "--poor"), line("cured", "--good")],
  });
}

// What is folded up has no width yet.
function drawGrowth(inside) {
  for (const place of inside.querySelectorAll(".growth")) {
    if (place.firstChild || place.clientWidth === 0 || !(Number(place.dataset.to) > Number(place.dataset.from))) continue;
    new Chart(place, "Statements a request by rows of the parent, now and cured", growthOf(place.dataset)).draw();
  }
}

export function startCharts() {
  onParts(() => drawGrowth(document));
  document.addEventListener("toggle", (event) => drawGrowth(event.target), true);
  onTheme(redraw);
  addEventListener("resize", redraw);
}
