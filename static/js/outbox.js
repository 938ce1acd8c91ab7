// Messages on their way: kept until the server acknowledges them, over reloads and lost lines (rule 1 of docs/protocol.md).

import { keys, read, tabName, write } from "./store.js";

const RESEND_AFTER = 5_000;
const ORPHANED_AFTER = 30_000;

/** An entry: {client_id, content, conversation_id, thread, language, at, tab, error}. `thread` is the client_id of the first message of its conversation. */
export class Outbox {
  constructor(send) {
    this.send = send;
    this.entries = new Map();
    this.sentAt = new Map();
    this.tab = tabName();
    this.load();
    setInterval(() => this.flush(), 1_000);
  }

  load() {
    const stored = keys("out:").map(read).filter(Boolean);
    for (const entry of stored.sort((one, other) => one.at - other.at)) this.entries.set(entry.client_id, entry);
  }

  add(content, { conversationId, thread, language }) {
    const client_id = crypto.randomUUID();
    const opens = conversationId ? null : (thread ?? client_id);
    const entry = { client_id, content, conversation_id: conversationId, thread: opens, language, at: Date.now(), tab: this.tab, error: null };
    this.save(entry);
    this.flush();
    return entry;
  }

  save(entry) {
    this.entries.set(entry.client_id, entry);
    write(`out:${entry.client_id}`, entry);
  }

  remove(clientId) {
    const entry = this.entries.get(clientId);
    this.entries.delete(clientId);
    this.sentAt.delete(clientId);
    write(`out:${clientId}`, null);
    return entry;
  }

  /** The entries that belong under a transcript, in order of writing. */
  of(conversationId, thread) {
    return [...this.entries.values()].filter((entry) =>
      conversationId ? entry.conversation_id === conversationId : !entry.conversation_id && entry.thread === thread,
    );
  }

  /** The thread of messages that opened no conversation yet: this tab's, or one whose tab is gone. */
  unfinishedThread() {
    const mine = (entry) => entry.tab === this.tab || Date.now() - entry.at > ORPHANED_AFTER;
    return [...this.entries.values()].find((entry) => !entry.conversation_id && mine(entry))?.thread ?? null;
  }

  isEmpty() {
    return this.entries.size === 0;
  }

  /** Send what was never sent on this line or has waited too long. */
  flush(everything = false) {
    const now = Date.now();
    for (const entry of this.entries.values()) {
      const waits = !entry.conversation_id && entry !== this.of(null, entry.thread)[0];
      const due = everything || now - (this.sentAt.get(entry.client_id) ?? 0) >= RESEND_AFTER;
      if (entry.error || waits || !due) continue;
      const { client_id, content, conversation_id, language } = entry;
      if (this.send({ type: "message", client_id, content, conversation_id, language })) this.sentAt.set(client_id, now);
    }
  }

  /** The server has it. The entries that waited for its conversation may follow. */
  acknowledged(frame) {
    const entry = this.remove(frame.client_id);
    for (const other of this.of(null, entry?.thread ?? frame.client_id)) this.save({ ...other, conversation_id: frame.conversation_id });
    this.flush();
    return entry;
  }

  /** The server refused it for good: it stays, with the reason, until the visitor decides. */
  refused(clientId, message) {
    const entry = this.entries.get(clientId);
    if (entry) this.save({ ...entry, error: message });
  }

  retry(clientId) {
    const entry = this.entries.get(clientId);
    if (!entry) return;
    this.save({ ...entry, error: null });
    this.sentAt.delete(clientId);
    this.flush();
  }

  retryIn(clientId, seconds) {
    if (this.entries.has(clientId)) this.sentAt.set(clientId, Date.now() - RESEND_AFTER + seconds * 1_000);
  }
}
