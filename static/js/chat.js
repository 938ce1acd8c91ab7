// One conversation kept in step with the server: the four rules of docs/protocol.md, and what the visitor does with it.

import { Log, isActive } from "./log.js";
import { Outbox } from "./outbox.js";
import { by, data, get, post, say, toast } from "./page.js";
import { Socket } from "./socket.js";
import { Transcript } from "./transcript.js";

const SILENCE = 4_000;
const SYNC_AT_MOST_EVERY = 1_000;
const TYPING_EVERY = 4_000;

export class Chat {
  /** `onConversation(frame)`, `onActivity(id, timestamp)`, `onOpened(id)`, `onEnded(message)`, `onState(state)`. */
  constructor(handlers) {
    this.handlers = handlers;
    this.userId = data.user_id;
    this.conversation = data.conversation;
    this.log = new Log({ messages: data.messages, lastSeq: data.conversation?.last_seq ?? 0, hasEarlier: data.has_earlier });
    this.revisions = new Map(); // conversation_id -> the greatest number of its `conversation` frames
    this.verdicts = new Map(); // message_id -> a feedback frame that has no effect yet
    this.acknowledged = new Map(); // client_id -> entry whose message frame is still to come
    this.heardAt = 0;
    this.readUpTo = 0;
    this.socket = new Socket({
      onFrame: (frame) => this.received(frame),
      onReady: () => this.ready(),
      onDown: () => handlers.onState("reconnecting"),
      onFatal: (code) => this.fatal(code),
    });
    this.outbox = new Outbox((frame) => this.socket.send(frame));
    this.thread = this.id ? null : this.outbox.unfinishedThread();
    this.transcript = new Transcript(this.log);
    this.refresh();
    setInterval(() => this.watch(), 1_000);
    document.addEventListener("visibilitychange", () => this.markRead());
  }

  get id() {
    return this.conversation?.conversation_id ?? null;
  }

  start() {
    if (this.userId) this.connect();
    else if (!this.outbox.isEmpty()) this.becomeGuest();
  }

  connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket.connect(`${scheme}://${location.host}/api/v1/chat/ws/${this.userId}`);
  }

  /** Nobody yet: a guest is made when something is to be sent. */
  async becomeGuest() {
    if (this.joining) return;
    this.joining = true;
    try {
      this.userId = (await post("/chat/guest")).user_id;
      this.handlers.onVisitor(this.userId);
      this.connect();
    } catch {
      this.handlers.onState("reconnecting");
      setTimeout(() => this.becomeGuest(), 2_000);
    } finally {
      this.joining = false;
    }
  }

  ready() {
    this.handlers.onState("ready");
    this.hasRejoined = false;
    this.isSyncing = false;
    this.syncedAt = 0;
    this.outbox.flush(true);
    for (const frame of this.verdicts.values()) this.socket.send(frame);
    this.list();
    this.sync();
  }

  fatal(code) {
    if (code === 4401 && !this.id && !this.hasRejoined) {
      this.hasRejoined = true;
      this.becomeGuest();
    } else this.handlers.onState(code === 4401 ? "signed_out" : "other_user");
  }

  // -- staying in step ------------------------------------------------------------------------------------

  /** Ask for everything after what is held; wishes that come too fast become one. */
  sync() {
    if (!this.id || this.isSyncing) return;
    clearTimeout(this.nextSync);
    const wait = (this.syncedAt ?? 0) + SYNC_AT_MOST_EVERY - Date.now();
    if (wait > 0) this.nextSync = setTimeout(() => this.sync(), wait);
    else this.askForMissing();
  }

  /** Ask for the conversations of the list as they are now. */
  list() {
    this.listedAt = Date.now();
    this.isListing = this.socket.send({ type: "sync" });
  }

  askForMissing() {
    this.syncedAt = Date.now();
    this.isSyncing = this.socket.send({ type: "sync", conversation_id: this.id, after: this.log.cursor });
  }

  /** A running reply that has been silent for long, and a sync that was never answered, or refused. */
  watch() {
    if (this.isListing && Date.now() - this.listedAt > SILENCE) this.list();
    const isWaiting = this.isSyncing ? Date.now() - this.syncedAt > SILENCE : this.log.running() && Date.now() - this.heardAt > SILENCE;
    if (!isWaiting) return;
    this.isSyncing = false;
    this.heardAt = Date.now();
    this.sync();
  }

  received(frame) {
    const handler = `on_${frame.type}`;
    if (this[handler]) this[handler](frame);
  }

  on_synced(frame) {
    if (!frame.conversation_id) this.isListing = false;
    if (frame.conversation_id !== this.id || !this.id) return;
    this.isSyncing = false;
    this.log.synced(frame);
    if (frame.more) this.askForMissing();
    else if (this.log.hasGap()) this.sync();
  }

  on_resync() {
    this.list();
    this.sync();
  }

  on_message(frame) {
    this.handlers.onActivity(frame.conversation_id, frame.timestamp);
    if (frame.client_id) this.forgetPending(frame);
    if (frame.conversation_id !== this.id) return;
    this.heardAt = Date.now();
    const wasRunning = this.isRunning(frame.message_id);
    const isNew = !this.log.messages.has(frame.message_id);
    if (this.log.put(frame)) this.changed(frame, wasRunning || isNew);
    if (this.log.hasGap() && !this.isSyncing) this.sync();
  }

  on_response(frame) {
    if (frame.conversation_id === this.id) this.isStopping = false;
    this.on_message(frame);
  }

  isRunning(messageId) {
    const message = this.log.messages.get(messageId);
    return Boolean(message && isActive(message));
  }

  changed(frame, mayHaveEnded) {
    if (this.verdicts.get(frame.message_id)?.value === frame.feedback) this.verdicts.delete(frame.message_id);
    by("typing").hidden = true;
    this.refresh();
    if (mayHaveEnded && !isActive(frame) && frame.role !== "user" && frame.status !== "discarded") this.handlers.onEnded(frame);
    this.markRead();
  }

  on_delta(frame) {
    if (frame.conversation_id !== this.id) return;
    this.heardAt = Date.now();
    const outcome = this.log.delta(frame);
    if (outcome === "appended") this.transcript.textChanged(frame.message_id);
    else if (outcome === "gap") this.sync();
  }

  on_snapshot(frame) {
    this.heardAt = Date.now();
    if (frame.conversation_id === this.id && this.log.snapshot(frame)) this.transcript.textChanged(frame.message_id);
  }

  on_conversation(frame) {
    if (frame.revision < (this.revisions.get(frame.conversation_id) ?? 0)) return;
    this.revisions.set(frame.conversation_id, frame.revision);
    if (frame.conversation_id === this.id) {
      this.conversation = { ...this.conversation, ...frame };
      this.log.highest = Math.max(this.log.highest, frame.is_deleted ? 0 : frame.last_seq);
      if (this.log.hasGap()) this.sync();
    }
    this.handlers.onConversation(frame);
  }

  on_typing(frame) {
    if (frame.conversation_id !== this.id || frame.role === "user") return;
    by("typing").textContent = say("agent_typing");
    by("typing").hidden = false;
    clearTimeout(this.typingEnds);
    this.typingEnds = setTimeout(() => (by("typing").hidden = true), frame.ttl * 1_000);
  }

  // -- sending --------------------------------------------------------------------------------------------

  ask(content) {
    const entry = this.outbox.add(content, { conversationId: this.id, thread: this.thread, language: data.language });
    if (!this.id) this.thread = entry.thread;
    this.refresh();
    this.transcript.toLatest();
    if (!this.userId) this.becomeGuest();
  }

  on_ack(frame) {
    const entry = this.accepted(frame);
    if (entry && !this.log.has(frame.client_id)) this.acknowledged.set(frame.client_id, { ...entry, conversation_id: frame.conversation_id, acknowledged: true });
    if (frame.conversation_id === this.id) this.log.highest = Math.max(this.log.highest, frame.seq);
    this.refresh();
    // The message itself comes over the live line; ask for it if that failed.
    setTimeout(() => this.log.hasGap() && this.sync(), SYNC_AT_MOST_EVERY);
  }

  /** The server has a message of the outbox: its `ack` says so, or the message itself, whichever is here first. */
  accepted(frame) {
    const entry = this.outbox.acknowledged(frame);
    if (!this.id && entry?.thread && entry.thread === this.thread) this.opened(frame.conversation_id);
    return entry;
  }

  /** The first message made a conversation: from here on this page shows it. */
  opened(conversationId) {
    this.conversation = { conversation_id: conversationId, title: "", owner: "assistant", is_archived: false };
    this.thread = null;
    this.handlers.onOpened(conversationId);
    this.sync();
  }

  forgetPending(frame) {
    this.acknowledged.delete(frame.client_id);
    if (this.outbox.entries.has(frame.client_id)) this.accepted(frame);
  }

  pending() {
    const accepted = [...this.acknowledged.values()].filter((entry) => entry.conversation_id === this.id);
    return [...accepted, ...this.outbox.of(this.id, this.thread)];
  }

  on_error(frame) {
    const text = data.strings[frame.code] ?? frame.message;
    if (frame.client_id && this.outbox.entries.has(frame.client_id)) this.refusedMessage(frame, text);
    else if (frame.code === "nothing_to_stop") this.sync();
    else if (frame.code === "not_found" && frame.conversation_id === this.id) {
      this.isSyncing = false;
      this.handlers.onState("gone");
    } else if (!this.isOfSync(frame)) {
      this.isStopping = false;
      toast(text);
    }
  }

  /** A sync that is refused just now is nothing that the visitor did: `watch` asks again. */
  isOfSync(frame) {
    if (frame.client_id || frame.message_id) return false;
    return frame.conversation_id ? frame.conversation_id === this.id && this.isSyncing && !this.isStopping : this.isListing;
  }

  refusedMessage(frame, text) {
    if (frame.code === "rate_limited") this.outbox.retryIn(frame.client_id, frame.retry_after);
    else if (frame.code !== "unavailable") this.outbox.refused(frame.client_id, text);
    this.refresh();
  }

  typing() {
    if (this.conversation?.owner !== "agent" || Date.now() - (this.typedAt ?? 0) < TYPING_EVERY) return;
    this.typedAt = Date.now();
    this.socket.send({ type: "typing", conversation_id: this.id });
  }

  markRead() {
    if (document.visibilityState !== "visible" || !this.transcript?.follows) return;
    const seqs = this.log.shown().filter((message) => message.role !== "user" && !isActive(message)).map((message) => message.seq);
    const seq = Math.max(0, ...seqs);
    if (seq > this.readUpTo && this.socket.send({ type: "read", conversation_id: this.id, seq })) this.readUpTo = seq;
  }

  // -- what the visitor does with an answer ---------------------------------------------------------------

  stop() {
    this.isStopping = this.socket.send({ type: "stop", conversation_id: this.id });
    if (!this.isStopping) toast(say("offline_action"));
  }

  regenerate(messageId) {
    if (!this.socket.send({ type: "regenerate", message_id: messageId })) toast(say("offline_action"));
  }

  /** A verdict is kept until the server shows it. */
  giveFeedback(messageId, value, reason = "") {
    const frame = { type: "feedback", message_id: messageId, value, reason };
    this.verdicts.set(messageId, frame);
    this.socket.send(frame);
  }

  async loadEarlier() {
    if (this.isLoading || !this.log.hasEarlier) return;
    this.isLoading = true;
    try {
      const page = await get(`/chat/${this.id}/earlier?before=${this.log.oldest()}`);
      this.log.prepend(page.messages, page.has_more);
      this.transcript.updateAbove(this.pending());
    } catch (error) {
      toast(error.message);
    } finally {
      this.isLoading = false;
    }
  }

  refresh() {
    by("stop").hidden = !this.log.running();
    by("main").dataset.owner = this.conversation?.owner ?? "assistant";
    this.transcript.update(this.pending());
  }
}
