// While an editor writes a FAQ: saves by itself, warns of duplicates, and listens to the keyboard.

import { keep } from "./keep.js";
import { warnOfDuplicates } from "./duplicates.js";

const form = document.getElementById("faq_form");
const place = document.getElementById("writing");

function onKey(event) {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
  const button = event.key === "s" ? document.querySelector("button[name=_save]") : event.key === "Enter" ? document.querySelector(".steps .first") : null;
  if (!button) return;
  event.preventDefault();
  button.click();
}

document.addEventListener("keydown", onKey);
keep(form, place);
warnOfDuplicates(form, place);
