// What if: another value of a metric, and findings that were cured. Metrics go through the curve of
// detectors/score.c; findings may share time, so their sum is held below what all of them save together.
import { html } from "htm/preact";
import { render } from "preact";
import { curve } from "./curve.js";
import { onParts } from "./parts.js";

const MOST_FINDINGS = 8;
const tried = { metrics: new Map(), findings: new Set(), open: false };
const number = (value) => Math.round(value).toLocaleString("en");

/* --- metrics --- */

const measured = () => [...document.querySelectorAll("#metrics tr[data-score]")];

const titleOf = (row) => row.querySelector("th").textContent;

function scoreIf(now) {
  let weights = 0;
  let gain = 0;
  for (const row of measured()) {
    const { good, half, weight, score } = row.dataset;
    const value = tried.metrics.get(titleOf(row));
    weights += Number(weight);
    if (value !== undefined) gain += Number(weight) * (100 * curve(value, Number(good), Number(half)) - Number(score));
  }
  return Math.max(0, Math.min(100, Math.round(now + gain / weights)));
}

function Verdict({ now, then }) {
  return html`<p class="what-if" aria-live="polite">
    What if: <b>${now}</b> → <b>${then}</b>
    <button type="button" onClick=${forget}>as measured</button>
  </p>`;
}

function showScore() {
  const dial = document.querySelector(".dial");
  const text = dial.querySelector("svg text").textContent;
  let place = dial.querySelector(".what-if-place");
  if (!place) {
    place = document.createElement("div");
    place.className = "what-if-place";
    dial.append(place);
  }
  const any = tried.metrics.size > 0 && text !== "–";
  const now = Number(text);
  render(any ? html`<${Verdict} now=${now} then=${scoreIf(now)} />` : null, place);
}

function tryMetric(input, title) {
  const value = input.value === "" ? Number.NaN : Number(input.value);
  if (value >= 0) tried.metrics.set(title, value);
  else tried.metrics.delete(title);
  showScore();
}

function forget() {
  tried.metrics.clear();
  for (const input of document.querySelectorAll("#metrics input")) input.value = "";
  showScore();
}

function addBoxes() {
  const table = document.getElementById("metrics");
  if (!table || table.querySelector("input")) return;
  const head = document.createElement("th");
  head.scope = "col";
  head.textContent = "What if";
  table.tHead.rows[0].append(head);
  for (const row of table.tBodies[0].rows) {
    const cell = row.insertCell();
    if (row.dataset.score === undefined) continue;
    const input = document.createElement("input");
    const title = titleOf(row);
    Object.assign(input, { type: "number", min: 0, step: "any", placeholder: row.dataset.value });
    input.dataset.key = `metric ${title}`;
    input.setAttribute("aria-label", `What if: ${title}`);
    input.value = tried.metrics.get(title) ?? "";
    input.addEventListener("input", () => tryMetric(input, title));
    cell.append(input);
  }
  showScore();
}

/* --- findings --- */

const findings = () =>
  [...document.querySelectorAll("#opportunities details.issue")]
    .filter((issue) => Number(issue.dataset.saved) > 0)
    .slice(0, MOST_FINDINGS)
    .map((issue) => ({
      id: issue.id,
      title: issue.querySelector("h3").textContent,
      saved: Number(issue.dataset.saved),
      removable: Number(issue.dataset.removable),
    }));

function sums(list) {
  const all = document.getElementById("opportunities").dataset;
  const hours = Number(all.seconds) / 3600;
  const chosen = list.filter((finding) => tried.findings.has(finding.id));
  const total = Number(all.total) / hours;
  const saved = Math.min(
    chosen.reduce((sum, finding) => sum + finding.saved, 0),
    Number(all.most) / hours,
  );
  const statements = chosen.reduce((sum, finding) => sum + finding.removable, 0);
  return { n: chosen.length, saved, share: total > 0 ? saved / total : 0, statements: Math.min(1, statements / Number(all.statements)) };
}

function Findings({ list }) {
  const { n, saved, share, statements } = sums(list);
  const toggle = (id) => {
    if (!tried.findings.delete(id)) tried.findings.add(id);
    showFindings();
  };
  const remember = (event) => {
    tried.open = event.currentTarget.open;
  };
  return html`<details class="card" open=${tried.open} onToggle=${remember}>
    <summary><h2>What if some were cured</h2></summary>
    <ul class="plain boxes">
      ${list.map(
        (finding) => html`<li key=${finding.id}>
          <label>
            <input type="checkbox" checked=${tried.findings.has(finding.id)} onChange=${() => toggle(finding.id)} />
            <span>${finding.title}</span> <b>${number(finding.saved)} ms/h</b>
          </label>
        </li>`,
      )}
    </ul>
    <p aria-live="polite">
      ${n === 0
        ? "Choose some."
        : html`Up to <b>${number(saved)} ms</b> of database time an hour, <b>${(100 * share).toFixed(0)} %</b> of all
            of it, and ${(100 * statements).toFixed(0)} % of the statements.`}
    </p>
  </details>`;
}

function showFindings() {
  const overview = document.getElementById("overview");
  let place = document.getElementById("what-if-findings");
  const list = findings();
  if (!place || !overview.contains(place)) {
    place = document.createElement("div");
    place.id = "what-if-findings";
    overview.append(place);
  }
  render(list.length > 0 ? html`<${Findings} list=${list} />` : null, place);
}

export function startTrying() {
  onParts(addBoxes);
  onParts(showFindings);
}
