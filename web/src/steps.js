// A step of a timeline names its statement by a number; here it is told which that is.
import { onParts } from "./parts.js";

function name(page) {
  const tables = page.querySelectorAll("table");
  const texts = [...(tables[1]?.tBodies[0].rows ?? [])].map((row) => row.cells[1].textContent);
  for (const row of tables[0]?.tBodies[0].rows ?? []) {
    const cell = row.cells[2];
    const text = texts[Number(/^#(\d+)/.exec(cell.textContent)?.[1]) - 1];
    if (!text || cell.querySelector(".step")) continue;
    const step = document.createElement("span");
    step.className = "step";
    step.textContent = text;
    cell.append(" ", step);
  }
}

export function startSteps() {
  onParts(() => document.querySelectorAll(".page[open]").forEach(name));
  document.addEventListener("toggle", (event) => event.target.matches(".page[open]") && name(event.target), true);
}
