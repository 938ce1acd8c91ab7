// The list of conversations: live, searchable, and where they are renamed, archived and deleted.

import { placeMenu, walkMenu } from "./drawer.js";
import { announce, by, cloneOf, data, fragment, post, say, toast } from "./page.js";

const SEARCH_AFTER = 200;

export class Sidebar {
  /** `current()` is the open conversation's id; `onChange(frame)` hears what this page changed; `onUnknown()` asks for the list. */
  constructor({ current, onChange, onUnknown }) {
    Object.assign(this, { current, onChange, onUnknown });
    this.box = by("list");
    this.search = document.querySelector(".search input");
    this.box.addEventListener("click", (event) => this.clicked(event));
    this.box.addEventListener("submit", (event) => this.submitted(event));
    this.box.addEventListener("dblclick", (event) => this.doubleClicked(event));
    document.addEventListener("toggle", (event) => event.target.matches?.(".menu") && placeMenu(event), true);
    document.addEventListener("keydown", walkMenu);
    this.search.addEventListener("input", () => this.typed());
    this.search.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.find();
    });
  }

  get mode() {
    return this.box.firstElementChild.dataset.mode;
  }

  get rows() {
    return this.box.querySelector(".conversations");
  }

  row(id) {
    return this.rows.querySelector(`[data-id="${id}"]`);
  }

  // -- what the server tells ------------------------------------------------------------------------------

  /** Take a `conversation` frame. */
  put(frame) {
    const row = this.row(frame.conversation_id);
    const belongs = !frame.is_deleted && (this.mode === "search" ? Boolean(row) : frame.is_archived === (this.mode === "archived"));
    if (!belongs) this.drop(row);
    else this.place(row ?? this.newRow(frame.conversation_id), frame);
  }

  drop(row) {
    if (row?.contains(document.activeElement)) by("composer-text").focus();
    row?.remove();
  }

  newRow(id) {
    const row = cloneOf("conversation-template");
    row.dataset.id = id;
    row.querySelector("a").href = `/chat/${id}`;
    row.querySelector(".menu").id = `options-${id}`;
    row.querySelector(".options").setAttribute("popovertarget", `options-${id}`);
    for (const button of row.querySelectorAll("[data-do]")) button.setAttribute("formaction", `/chat/${id}/${button.dataset.do}`);
    return row;
  }

  place(row, frame) {
    const title = frame.title || say("untitled");
    row.querySelector(".title").textContent = title;
    row.querySelector(".menu [name=title]").value = frame.title;
    row.querySelector(".options").setAttribute("aria-label", say("options_of", { title }));
    row.toggleAttribute("data-archived", frame.is_archived);
    this.mark(row);
    this.move(row, frame.last_message_at);
  }

  /** Put a row where its time says; search results stay in their order. */
  move(row, at) {
    if (row.isConnected && (this.mode === "search" || row.dataset.at === at)) return;
    row.dataset.at = at;
    const later = [...this.rows.children].find((other) => other !== row && new Date(other.dataset.at) <= new Date(at));
    if (row.isConnected && (row.nextElementSibling === (later ?? null) || row.contains(document.activeElement))) return;
    this.rows.insertBefore(row, later ?? null);
  }

  /** Something was said in a conversation. */
  touched(id, timestamp) {
    const row = this.row(id);
    if (row && new Date(row.dataset.at) < new Date(timestamp)) this.move(row, timestamp);
    else if (!row && this.mode === "active") this.onUnknown();
  }

  mark(row) {
    const link = row.querySelector("a");
    if (row.dataset.id === this.current()) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }

  markAll() {
    for (const row of this.rows.children) this.mark(row);
  }

  // -- what the visitor does ------------------------------------------------------------------------------

  typed() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.find(), SEARCH_AFTER);
  }

  async find() {
    const query = this.search.value.trim();
    await this.load(query ? `/chat/search?fragment&q=${encodeURIComponent(query)}` : "/chat/list");
    if (query) announce(say("found", { count: this.rows.children.length }));
  }

  /** Replace the list; a newer wish overtakes an older one. */
  async load(path) {
    this.loading?.abort();
    this.loading = new AbortController();
    try {
      const piece = await fragment(path, this.loading.signal);
      this.box.replaceChildren(piece.firstElementChild);
      this.markAll();
    } catch (error) {
      if (error.name !== "AbortError") toast(say("failed_request"));
    }
  }

  async more(button) {
    const path = `/chat/list?before=${encodeURIComponent(button.dataset.before)}${this.mode === "archived" ? "&archived=on" : ""}`;
    button.disabled = true;
    try {
      const piece = await fragment(path);
      this.rows.append(...[...piece.querySelector(".conversations").children].filter((row) => !this.row(row.dataset.id)));
      button.replaceWith(piece.querySelector(".more") ?? "");
    } catch (error) {
      button.disabled = false;
      toast(error.message);
    }
  }

  async clicked(event) {
    const list = event.target.closest("[data-list]");
    const more = event.target.closest(".more");
    if (more) this.more(more);
    if (!list) return;
    event.preventDefault();
    this.search.value = "";
    await this.load(list.dataset.list === "archived" ? "/chat/list?archived=on" : "/chat/list");
    this.box.querySelector("[data-list]").focus();
  }

  doubleClicked(event) {
    const row = event.target.closest(".conversation");
    if (row && event.target.closest(".title")) this.rename(row);
  }

  submitted(event) {
    event.preventDefault();
    const row = event.target.closest(".conversation");
    const what = event.submitter?.dataset.do;
    event.target.hidePopover?.();
    if (what === "rename") this.rename(row);
    else if (what === "delete") this.confirmDelete(row);
    else if (what) this.change(row, what);
  }

  async change(row, what, values = {}) {
    try {
      this.onChange(await post(`/chat/${row.dataset.id}/${what}`, values));
      if (what !== "rename") toast(say({ delete: "deleted", archive: "archived", unarchive: "unarchived" }[what]));
    } catch (error) {
      toast(error.message);
    }
  }

  confirmDelete(row) {
    const dialog = by("confirm");
    by("confirm-name").textContent = row.querySelector(".title").textContent;
    dialog.returnValue = "no";
    dialog.onclose = () => (dialog.returnValue === "yes" ? this.change(row, "delete") : row.querySelector(".options").focus());
    dialog.showModal();
  }

  /** Edit the title where it stands: Enter keeps it, Escape and an empty title do not. */
  rename(row) {
    const link = row.querySelector("a");
    const before = row.querySelector(".menu [name=title]").value;
    const input = Object.assign(document.createElement("input"), { className: "rename", value: before });
    input.maxLength = data.limits.title_characters;
    input.setAttribute("aria-label", say("title"));
    let isDone = false;
    const finish = (isKept) => {
      if (isDone) return;
      isDone = true;
      const title = input.value.trim();
      link.hidden = false;
      input.remove();
      if (isKept && title && title !== before) this.change(row, "rename", { title });
    };
    input.addEventListener("keydown", (event) => {
      if (event.isComposing || !["Enter", "Escape"].includes(event.key)) return;
      event.preventDefault();
      finish(event.key === "Enter");
      link.focus();
    });
    input.addEventListener("blur", () => finish(true));
    link.hidden = true;
    link.after(input);
    input.focus();
    input.select();
  }
}
