// While an editor writes a FAQ: saves by itself, warns of duplicates, and listens to the keyboard.

import { keep } from "./keep.js";

const SOON = 600;
// From here on two questions usually mean the same.
const NEAR = 85;

const form = document.getElementById("faq_form");
const place = document.getElementById("writing");

function onKey(event) {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
  const button = event.key === "s" ? document.querySelector("button[name=_save]") : event.key === "Enter" ? document.querySelector(".steps .first") : null;
  if (!button) return;
  event.preventDefault();
  button.click();
}

/** Show the published FAQs that are nearest to the question being written. */
function warnOfDuplicates(form, place) {
  const question = form.elements.namedItem("question");
  const section = place.querySelector("#similar");
  const list = section.querySelector("ul");
  let timer = null;
  let latest = 0;

  function row({ question: text, url, percent }) {
    const item = document.createElement("li");
    const link = Object.assign(document.createElement("a"), { href: url, target: "_blank", textContent: text });
    const share = Object.assign(document.createElement("span"), { textContent: ` ${percent} %` });
    share.classList.toggle("near", percent >= NEAR);
    item.append(link, share);
    return item;
  }

  async function look() {
    const mine = ++latest;
    const query = new URLSearchParams({
      question: question.value.trim(),
      language: form.elements.namedItem("language")?.value ?? place.dataset.language ?? "en",
      faq: place.dataset.faq,
    });
    try {
      const response = await fetch(`${place.dataset.similar}?${query}`, { headers: { Accept: "application/json" } });
      const similar = response.ok && !response.redirected ? (await response.json()).similar : [];
      if (mine !== latest) return;
      list.replaceChildren(...similar.map(row));
      section.hidden = similar.length === 0;
    } catch {
      // Only a hint: the next key tries again.
    }
  }

  question.addEventListener("input", () => {
    clearTimeout(timer);
    if (question.value.trim().length >= 4) timer = setTimeout(look, SOON);
    else section.hidden = true;
  });
  question.after(section);
}

document.addEventListener("keydown", onKey);
keep(form, place);
warnOfDuplicates(form, place);
