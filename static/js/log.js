// The messages of one conversation and the rules by which frames change them (docs/protocol.md). Nothing here touches the page.

const ACTIVE = new Set(["queued", "streaming"]);

export const isActive = (message) => ACTIVE.has(message.status);

export class Log {
  /** `lastSeq` is the number up to which nothing is missing; earlier messages may be left on the server. */
  constructor({ messages = [], lastSeq = 0, hasEarlier = false } = {}) {
    this.messages = new Map(messages.map((message) => [message.message_id, message]));
    this.texts = new Map(); // message_id -> {attempt, text} of running replies
    this.cursor = lastSeq;
    this.highest = lastSeq;
    this.hasEarlier = hasEarlier;
  }

  /** Take a `message` or `response` frame; true when it changed what is shown. */
  put(frame) {
    this.note(frame.seq);
    const held = this.messages.get(frame.message_id);
    if (held ? frame.seq < held.seq : this.hasEarlier && frame.position < this.oldest()) return false;
    this.messages.set(frame.message_id, frame);
    const live = this.texts.get(frame.message_id);
    if (live && (!isActive(frame) || live.attempt < frame.attempt)) this.texts.delete(frame.message_id);
    return true;
  }

  /** A number was seen: the next one moves the cursor, a later one shows a gap. */
  note(seq) {
    if (seq === this.cursor + 1) this.cursor = seq;
    this.highest = Math.max(this.highest, seq);
  }

  hasGap() {
    return this.highest > this.cursor;
  }

  synced(frame) {
    this.cursor = Math.max(this.cursor, frame.last_seq);
    this.highest = Math.max(this.highest, this.cursor);
  }

  /** Take a `delta`: "appended", "ignored" or "gap". */
  delta(frame) {
    const message = this.messages.get(frame.message_id);
    if (!message) return "gap";
    if (!isActive(message)) return "ignored";
    const held = this.texts.get(frame.message_id) ?? { attempt: message.attempt, text: "" };
    if (frame.attempt < held.attempt) return "ignored";
    const text = frame.attempt > held.attempt ? "" : held.text;
    if (frame.offset < text.length) return "ignored";
    if (frame.offset > text.length) return "gap";
    this.texts.set(frame.message_id, { attempt: frame.attempt, text: text + frame.text });
    return "appended";
  }

  /** Take a `snapshot`; true when it brought something. */
  snapshot(frame) {
    const message = this.messages.get(frame.message_id);
    const held = this.texts.get(frame.message_id);
    if (!message || !isActive(message) || (held && frame.attempt < held.attempt)) return false;
    if (held?.attempt === frame.attempt && held.text.startsWith(frame.content)) return false;
    this.texts.set(frame.message_id, { attempt: frame.attempt, text: frame.content });
    return true;
  }

  /** Earlier messages from the server, before everything held. */
  prepend(frames, hasMore) {
    for (const frame of frames) if (!this.messages.has(frame.message_id)) this.messages.set(frame.message_id, frame);
    this.hasEarlier = hasMore;
  }

  text(message) {
    return isActive(message) ? (this.texts.get(message.message_id)?.text ?? "") : message.content;
  }

  oldest() {
    return Math.min(...[...this.messages.values()].map((message) => message.position));
  }

  /** What the transcript shows, in order. */
  shown() {
    return [...this.messages.values()]
      .filter((message) => message.status !== "discarded")
      .sort((one, other) => one.position - other.position);
  }

  running() {
    return [...this.messages.values()].find(isActive) ?? null;
  }

  has(clientId) {
    return [...this.messages.values()].some((message) => message.client_id === clientId);
  }
}
