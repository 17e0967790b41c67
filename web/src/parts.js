// Parts of the page that a server may replace. Whoever has changed one does so again when it is new.
const listeners = [];

export function onParts(listener) {
  listeners.push(listener);
  listener();
}

const openOf = (part) => new Map([...part.querySelectorAll("details[id]")].map((d) => [d.id, d.open]));

// Elements that have not changed stay, so that focus, selection and scrolling stay with them.
function replaceChildren(old, fresh) {
  const open = openOf(old);
  for (const details of fresh.querySelectorAll("details[id]")) {
    if (open.has(details.id)) details.open = open.get(details.id);
  }
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const key = focused && (focused.id ? `#${CSS.escape(focused.id)}` : focused.dataset.key && `[data-key="${CSS.escape(focused.dataset.key)}"]`);
  for (const { name, value } of fresh.attributes) old.setAttribute(name, value);
  old.replaceChildren(...fresh.childNodes);
  return key;
}

// What came last, by id: a part is touched only when its text is new.
const last = new Map();

export function replaceParts(html) {
  const made = new DOMParser().parseFromString(`<main>${html}</main>`, "text/html");
  const focus = [];
  let changed = false;
  for (const fresh of made.querySelectorAll("[data-part]")) {
    const old = document.getElementById(fresh.id);
    const text = fresh.innerHTML;
    if (last.get(fresh.id) === text) continue;
    last.set(fresh.id, text);
    if (old) {
      const key = replaceChildren(old, fresh);
      if (key) focus.push(key);
    } else {
      document.getElementById("coverage").before(document.importNode(fresh, true));
    }
    changed = true;
  }
  if (!changed) return;
  for (const listener of listeners) listener();
  for (const key of focus) document.querySelector(key)?.focus({ preventScroll: true });
}
