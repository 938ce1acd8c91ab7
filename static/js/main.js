// The chat page: wires its parts together.

import { Chat } from "./chat.js";
import { Composer } from "./composer.js";
import { setUpDrawer } from "./drawer.js";
import { announce, by, data, say, toast } from "./page.js";
import { paintFeedback } from "./render.js";
import { Sidebar } from "./sidebar.js";
import { claim, write } from "./store.js";

const QUIET_FOR = 1_000;
const DONE_FOR = 2_000;
const announced = new Set();
let telling;

claim(data.user_id, data.is_guest);
setUpDrawer();

const chat = new Chat({
  onConversation: changedConversation,
  onActivity: (id, timestamp) => sidebar.touched(id, timestamp),
  onOpened: opened,
  onEnded: ended,
  onState: showConnection,
  onVisitor: (userId) => claim(userId, true),
});

const sidebar = new Sidebar({
  current: () => chat.id,
  onChange: (frame) => chat.received(frame),
  onUnknown: () => chat.socket.send({ type: "sync" }),
});

const composer = new Composer({
  draftKey: () => chat.id ?? "new",
  onSend: (text) => chat.ask(text),
  onTyping: () => chat.typing(),
});

// -- what the chat tells --------------------------------------------------------------------------------

/** Quiet: only a line that stays away is worth a word. */
function showConnection(state) {
  if (state === "reconnecting") {
    telling ??= setTimeout(() => showLine(say("reconnecting")), QUIET_FOR);
    return;
  }
  clearTimeout(telling);
  telling = undefined;
  if (state === "ready") by("connection").hidden = true;
  else tellEnd(state);
}

function showLine(...parts) {
  by("connection").replaceChildren(...parts);
  by("connection").hidden = false;
}

/** The session is over: this page cannot go on as it is. */
function tellEnd(state) {
  const reload = Object.assign(document.createElement("a"), { href: location.href, textContent: say("reload") });
  showLine(`${say(state)} `, reload);
}

function opened(id) {
  history.replaceState(null, "", `/chat/${id}`);
  composer.set(composer.box.value);
  write("draft:new", null);
  sidebar.markAll();
}

function changedConversation(frame) {
  sidebar.put(frame);
  if (frame.conversation_id !== chat.id) return;
  if (frame.is_deleted) {
    location.assign("/");
    return;
  }
  const title = frame.title || say("untitled");
  by("title").textContent = title;
  document.title = `${title} · ${data.site_name}`;
}

/** An answer is complete: say it once. */
function ended(message) {
  if (announced.has(message.message_id)) return;
  announced.add(message.message_id);
  const node = by("messages").querySelector(`[data-id="${message.message_id}"]`);
  const author = say(message.role === "agent" ? "agent" : "answer_from");
  const parts = [author, node.querySelector(".body").innerText, message.error?.message, node.querySelector(".state").textContent];
  announce(parts.filter(Boolean).join(" "));
}

// -- what the visitor does ------------------------------------------------------------------------------

const acts = {
  copy: (button, node) => copy(button, node),
  up: (button, node) => judge(button, node, "up"),
  down: (button, node) => judge(button, node, "down"),
  regenerate: (_button, node) => chat.regenerate(node.dataset.id),
  skip: (_button, node) => closeReason(node),
  edit(_button, node) {
    const entry = chat.outbox.remove(node.dataset.client);
    composer.restore(entry.content);
    chat.refresh();
  },
  retry(_button, node) {
    chat.outbox.retry(node.dataset.client);
    chat.refresh();
  },
};

async function copy(button, node) {
  const code = button.hasAttribute("data-code") && button.parentElement.querySelector("code").textContent;
  const message = chat.log.messages.get(node.dataset.id);
  try {
    await navigator.clipboard.writeText(code || message.content);
  } catch {
    toast(say("copy_failed"));
    return;
  }
  button.classList.add("done");
  announce(say("copied"));
  setTimeout(() => button.classList.remove("done"), DONE_FOR);
}

function judge(button, node, verdict) {
  const value = button.getAttribute("aria-pressed") === "true" ? null : verdict;
  paintFeedback(node, value);
  chat.giveFeedback(node.dataset.id, value);
  const form = node.querySelector(".reason");
  form.hidden = value !== "down";
  if (form.hidden) return;
  form.reason.focus({ preventScroll: true });
  form.scrollIntoView({ block: "nearest" });
}

function closeReason(node) {
  node.querySelector(".reason").hidden = true;
  node.querySelector("[data-act=down]").focus();
}

by("messages").addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (button) acts[button.dataset.act](button, button.closest(".message"));
});

by("messages").addEventListener("submit", (event) => {
  event.preventDefault();
  const node = event.target.closest(".message");
  const reason = event.target.reason.value.trim();
  if (reason) chat.giveFeedback(node.dataset.id, "down", reason);
  event.target.reset();
  closeReason(node);
  toast(say("thanks"));
});

by("scroller").addEventListener("click", (event) => {
  const question = event.target.closest("[data-ask]");
  if (!question) return;
  chat.ask(question.dataset.ask);
  composer.box.focus({ preventScroll: true });
});

by("stop").addEventListener("click", () => {
  chat.stop();
  composer.box.focus({ preventScroll: true });
});

by("earlier").addEventListener("click", () => chat.loadEarlier());
const nearTop = { root: by("scroller"), rootMargin: "200px 0px 0px" };
new IntersectionObserver(([entry]) => entry.isIntersecting && chat.loadEarlier(), nearTop).observe(by("earlier"));

chat.start();
