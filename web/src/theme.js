// Light, dark, or as the system has it.
import { html } from "htm/preact";
import { render } from "preact";
import { useState } from "preact/hooks";

const KEY = "pgsleuth-theme";
const THEMES = ["auto", "light", "dark"];
const listeners = [];

// A page from a file may have no storage.
function stored() {
  try {
    const theme = localStorage.getItem(KEY);
    return THEMES.includes(theme) ? theme : "auto";
  } catch {
    return "auto";
  }
}

function apply(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // it lasts as long as the page
  }
  for (const listener of listeners) listener();
}

// Colours have changed: what is drawn on a canvas has to be drawn again.
export function onTheme(listener) {
  listeners.push(listener);
}

function Switch() {
  const [theme, setTheme] = useState(stored());
  const choose = (event) => {
    setTheme(event.currentTarget.value);
    apply(event.currentTarget.value);
  };
  return html`<label class="theme">
    <span>Theme</span>
    <select value=${theme} onChange=${choose}>
      ${THEMES.map((name) => html`<option value=${name} key=${name}>${name}</option>`)}
    </select>
  </label>`;
}

export function startTheme() {
  apply(stored());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => listeners.forEach((l) => l()));
  render(html`<${Switch} />`, document.getElementById("tools"));
}
