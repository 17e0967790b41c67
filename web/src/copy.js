// A button on every block of code.
import { onParts } from "./parts.js";

async function put(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return putBySelection(text);
  }
}

// Where the page may not write to the clipboard by itself.
function putBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "sr";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

async function copy(button) {
  const code = button.parentElement.querySelector("code").textContent;
  button.textContent = (await put(code)) ? "Copied" : "Select it and copy by hand";
  setTimeout(() => {
    button.textContent = "Copy";
  }, 2000);
}

function addButtons() {
  for (const pre of document.querySelectorAll("figure.code > pre, figure.plan > pre")) {
    if (pre.nextElementSibling?.classList.contains("copy")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-live", "polite");
    pre.after(button);
  }
}

export function startCopying() {
  onParts(addButtons);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.copy");
    if (button) copy(button);
  });
}
