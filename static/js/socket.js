// One WebSocket that comes back by itself: backoff with jitter, pings that notice a dead line, and nothing else.

const FIRST_WAIT = 400;
const LONGEST_WAIT = 15_000;
const PING_EVERY = 20_000;
const PONG_WITHIN = 5_000;
const OPEN_WITHIN = 10_000;
const FATAL = new Set([4401, 4403]);

export class Socket {
  /** `onFrame(frame)`, `onReady(frame)`, `onDown()`, `onFatal(code)`. */
  constructor(handlers) {
    this.handlers = handlers;
    this.url = null;
    this.socket = null;
    this.isReady = false;
    this.failures = 0;
    this.timers = {};
    this.pings = 0;
    addEventListener("online", () => this.retryNow());
    addEventListener("offline", () => this.dropped());
    addEventListener("pageshow", (event) => event.persisted && this.dropped(0));
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.wake());
  }

  connect(url) {
    this.url = url;
    this.open();
  }

  /** Send a frame now; false when there is no line. */
  send(frame) {
    if (!this.isReady || this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  open() {
    if (this.socket || !this.url) return;
    clearTimeout(this.timers.retry);
    const socket = new WebSocket(this.url);
    this.socket = socket;
    this.timers.open = setTimeout(() => this.dropped(), OPEN_WITHIN);
    socket.onmessage = (event) => this.received(JSON.parse(event.data));
    socket.onclose = (event) => this.closed(event.code);
  }

  received(frame) {
    clearTimeout(this.timers.pong);
    if (frame.type === "ready") {
      clearTimeout(this.timers.open);
      this.isReady = true;
      this.failures = 0;
      this.timers.ping = setInterval(() => this.ping(), PING_EVERY);
      this.handlers.onReady(frame);
    } else if (frame.type === "ping") this.send({ type: "pong", id: frame.id });
    else if (frame.type !== "pong") this.handlers.onFrame(frame);
  }

  /** Ask for a sign of life; without one the line counts as dead. */
  ping() {
    if (!this.send({ type: "ping", id: ++this.pings })) return;
    clearTimeout(this.timers.pong);
    this.timers.pong = setTimeout(() => this.dropped(0), PONG_WITHIN);
  }

  wake() {
    if (this.isReady) this.ping();
    else this.retryNow();
  }

  retryNow() {
    if (this.socket && this.isReady) return;
    this.dropped(0);
  }

  closed(code) {
    if (FATAL.has(code)) {
      this.release();
      this.url = null;
      this.handlers.onFatal(code);
    } else this.dropped();
  }

  /** Give up this line, without waiting for its farewell, and open another one after a while. */
  dropped(wait = this.backoff()) {
    this.release();
    if (!this.url) return;
    this.handlers.onDown();
    clearTimeout(this.timers.retry);
    this.timers.retry = setTimeout(() => this.open(), wait);
  }

  release() {
    for (const name of ["open", "pong"]) clearTimeout(this.timers[name]);
    clearInterval(this.timers.ping);
    this.isReady = false;
    if (!this.socket) return;
    this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
    this.socket = null;
  }

  backoff() {
    const longest = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.failures++);
    return longest / 2 + (Math.random() * longest) / 2;
  }
}
