// The list of conversations as a drawer on narrow screens, and the menus of the page.

import { by } from "./page.js";

const narrow = matchMedia("(max-width: 47.99rem)");

export function setUpDrawer() {
  const show = (isOpen, returnFocus = true) => {
    document.body.classList.toggle("drawer-is-open", isOpen);
    by("drawer-open").setAttribute("aria-expanded", isOpen);
    by("main").inert = isOpen && narrow.matches;
    by("sidebar").inert = !isOpen && narrow.matches;
    if (!narrow.matches || !returnFocus) return;
    by(isOpen ? "drawer-close" : "drawer-open").focus();
  };
  by("drawer-open").addEventListener("click", () => show(true));
  by("drawer-close").addEventListener("click", () => show(false));
  by("scrim").addEventListener("click", () => show(false));
  narrow.addEventListener("change", () => show(false, false));
  addEventListener("keydown", (event) => {
    const inDrawer = event.key === "Escape" && document.body.classList.contains("drawer-is-open");
    if (inDrawer && !document.querySelector(":popover-open, dialog[open], .rename")) show(false);
  });
  show(false, false);
}

/** Put an opening menu beside its button, inside the window. */
export function placeMenu(event) {
  const menu = event.target;
  menu.classList.toggle("placed", event.newState === "open");
  if (event.newState !== "open") return;
  const anchor = document.querySelector(`[popovertarget="${menu.id}"]`).getBoundingClientRect();
  const margin = 8;
  const below = anchor.bottom + 4 + menu.offsetHeight + margin <= innerHeight;
  const left = Math.min(Math.max(anchor.right - menu.offsetWidth, margin), innerWidth - menu.offsetWidth - margin);
  menu.style.left = `${left}px`;
  menu.style.top = `${below ? anchor.bottom + 4 : Math.max(anchor.top - menu.offsetHeight - 4, margin)}px`;
  menu.querySelector("button:not([hidden]), a")?.focus({ preventScroll: true });
}

/** Arrow keys walk through an open menu. */
export function walkMenu(event) {
  const menu = event.target.closest?.(".menu:popover-open");
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!menu || !step) return;
  const items = [...menu.querySelectorAll("button, a")].filter((item) => item.offsetParent !== null);
  const next = (items.indexOf(document.activeElement) + step + items.length) % items.length;
  items[next].focus();
  event.preventDefault();
}
