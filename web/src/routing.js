// Links into the page: what is folded up opens, and an endpoint is shown alone.
import { onParts } from "./parts.js";

const root = document.documentElement;

function unfold(element) {
  for (let at = element; at; at = at.parentElement) {
    if (at.localName === "details") at.open = true;
  }
}

function showPage(page) {
  for (const other of document.querySelectorAll(".page.shown")) other.classList.remove("shown");
  root.classList.toggle("paged", page !== null);
  page?.classList.add("shown");
}

function look() {
  const [id, query] = decodeURIComponent(location.hash.slice(1)).split("?");
  const target = id ? document.getElementById(id) : null;
  const page = target?.closest(".page") ?? null;
  showPage(page);
  return { target, page, query };
}

function go() {
  const { target, page, query } = look();
  if (!target) return;
  unfold(target);
  if (page) scrollTo(0, 0);
  else target.scrollIntoView();
  if (query === undefined) (target.querySelector("summary, h2") ?? target).focus({ preventScroll: true });
}

function addWayBack() {
  if (document.querySelector(".back")) return;
  const link = document.createElement("a");
  link.className = "back";
  link.href = "#endpoints";
  link.textContent = "← All endpoints";
  document.getElementById("h-pages").before(link);
}

export function startRouting() {
  onParts(addWayBack);
  onParts(look); // an element that took another's place is shown as that was
  addEventListener("hashchange", go);
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && root.classList.contains("paged")) location.hash = "#endpoints";
  });
  if (!location.hash) return;
  go();
  // The browser follows the address once more when all is there, and takes the focus away.
  addEventListener("load", () => setTimeout(go));
}
