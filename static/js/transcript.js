// The list of messages on the page and where it is scrolled to.

import { by } from "./page.js";
import { addCodeButtons, messageNode, paintMessage, paintPending, paintText } from "./render.js";

const NEAR_THE_END = 60;

export class Transcript {
  constructor(log) {
    this.log = log;
    this.list = by("messages");
    this.scroller = by("scroller");
    this.nodes = new Map(); // message_id or client_id -> node
    this.due = new Set(); // running replies whose text changed
    this.follows = true;
    this.lastTop = 0;
    this.adopt();
    this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    new ResizeObserver(() => this.settle()).observe(this.scroller);
    by("latest").addEventListener("click", () => this.toLatest());
  }

  /** Take over what the server rendered. */
  adopt() {
    for (const node of this.list.children) {
      const message = this.log.messages.get(node.dataset.id);
      this.nodes.set(node.dataset.id, node);
      if (message.role !== "user") addCodeButtons(node.querySelector(".body"));
      paintMessage(node, message, this.log.text(message));
    }
    this.toLatest();
  }

  /** Make the page show the log and the messages on their way. */
  update(pending = []) {
    const wanted = [...this.log.shown().map((message) => this.nodeOf(message)), ...pending.map((entry) => this.pendingNode(entry))];
    const kept = new Set(wanted);
    for (const node of [...this.list.children]) if (!kept.has(node)) this.forget(node);
    wanted.forEach((node, index) => {
      const there = this.list.children[index];
      if (there !== node) this.list.insertBefore(node, there ?? null);
    });
    by("welcome").hidden = wanted.length > 0;
    by("earlier").hidden = !this.log.hasEarlier;
    this.settle();
  }

  nodeOf(message) {
    const node = this.nodes.get(message.message_id) ?? this.nodes.get(message.client_id) ?? messageNode();
    this.nodes.delete(message.client_id);
    this.nodes.set(message.message_id, node);
    const isCurrent = node.dataset.seq === String(message.seq) && !node.hasAttribute("aria-busy");
    if (!isCurrent) paintMessage(node, message, this.log.text(message));
    return node;
  }

  pendingNode(entry) {
    const node = this.nodes.get(entry.client_id) ?? messageNode();
    this.nodes.set(entry.client_id, node);
    paintPending(node, entry);
    return node;
  }

  forget(node) {
    this.nodes.delete(node.dataset.id);
    this.nodes.delete(node.dataset.client);
    if (node.contains(document.activeElement)) by("composer-text").focus();
    node.remove();
  }

  /** The text of a running reply changed: paint it with the next frame of the screen. */
  textChanged(messageId) {
    if (this.due.size === 0) requestAnimationFrame(() => this.paintDue());
    this.due.add(messageId);
  }

  paintDue() {
    for (const id of this.due) {
      const message = this.log.messages.get(id);
      const node = this.nodes.get(id);
      if (message && node) paintText(node, message, this.log.text(message));
    }
    this.due.clear();
    this.settle();
  }

  /** Put earlier messages above without moving what is being read. */
  updateAbove(pending) {
    const fromEnd = this.scroller.scrollHeight - this.scroller.scrollTop;
    this.update(pending);
    this.scroller.scrollTop = this.scroller.scrollHeight - fromEnd;
  }

  distance() {
    return this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight;
  }

  scrolled() {
    const top = this.scroller.scrollTop;
    if (this.distance() < NEAR_THE_END) this.follows = true;
    else if (top < this.lastTop) this.follows = false;
    this.lastTop = top;
    this.showJump();
  }

  /** Stay at the end if that is where the reader is, and nowhere else. */
  settle() {
    if (this.follows) this.scroller.scrollTop = this.scroller.scrollHeight;
    this.lastTop = this.scroller.scrollTop;
    this.showJump();
  }

  showJump() {
    by("latest").hidden = this.follows || this.distance() < NEAR_THE_END;
  }

  toLatest() {
    this.follows = true;
    this.settle();
  }
}
