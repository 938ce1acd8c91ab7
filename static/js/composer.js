// The box in which a message is written, with its draft, its limit and its keys.

import { by, data, pageLanguage, say } from "./page.js";
import { read, write } from "./store.js";

const COUNT_FROM = 0.9;

export class Composer {
  /** `draftKey()` names the conversation; `onSend(text)`; `onTyping()`. */
  constructor({ draftKey, onSend, onTyping }) {
    this.draftKey = draftKey;
    this.onSend = onSend;
    this.onTyping = onTyping;
    this.box = by("composer-text");
    this.limit = data.limits.message_characters;
    by("composer").addEventListener("submit", (event) => this.submitted(event));
    this.box.addEventListener("keydown", (event) => this.pressed(event));
    this.box.addEventListener("input", () => this.changed());
    this.box.value ||= read(`draft:${draftKey()}`) ?? "";
    this.show();
    if (matchMedia("(hover: hover)").matches) this.box.focus({ preventScroll: true });
  }

  pressed(event) {
    // A composition (Japanese, Chinese, Korean) ends with Enter too: 229 is its key code where isComposing is late.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.submitted(event);
  }

  changed() {
    write(`draft:${this.draftKey()}`, this.box.value);
    by("composer-error").textContent = "";
    this.show();
    if (this.box.value.trim()) this.onTyping();
  }

  submitted(event) {
    event.preventDefault();
    const text = this.box.value.toWellFormed?.() ?? this.box.value;
    const count = this.count();
    if (count === 0) return;
    if (count > this.limit) {
      by("composer-error").textContent = say("too_long", { limit: this.number(this.limit), count: this.number(count) });
      return;
    }
    this.set("");
    this.onSend(text.trim());
  }

  set(text) {
    this.box.value = text;
    write(`draft:${this.draftKey()}`, text);
    by("composer-error").textContent = "";
    this.show();
  }

  /** A refused message comes back, before what has been written since. */
  restore(text) {
    this.set(this.box.value ? `${text}\n${this.box.value}` : text);
    this.box.focus();
  }

  /** Characters as the server counts them: code points, after trimming. */
  count() {
    return [...this.box.value.trim()].length;
  }

  number(value) {
    return value.toLocaleString(pageLanguage);
  }

  show() {
    const count = this.count();
    const isOver = count > this.limit;
    by("counter").textContent = count > this.limit * COUNT_FROM ? `${this.number(count)} / ${this.number(this.limit)}` : "";
    by("counter").classList.toggle("over", isOver);
    this.box.setAttribute("aria-invalid", isOver);
    by("send").setAttribute("aria-disabled", count === 0 || isOver);
    this.grow();
  }

  /** As high as its text; the style sheet says how high at most. */
  grow() {
    if (CSS.supports("field-sizing", "content")) return;
    this.box.style.height = "auto";
    this.box.style.height = `${this.box.scrollHeight}px`;
  }
}
