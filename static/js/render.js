// One message as a node: made from the page's template, and repainted in place when the message changes.

import { isActive } from "./log.js";
import { paint as paintMarkdown } from "./markdown.js";
import { cloneOf, pageLanguage, say } from "./page.js";

const part = (node, selector) => node.querySelector(selector);
const locale = navigator.languages.find((language) => language.startsWith(pageLanguage)) ?? pageLanguage;
const time = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const dayAndTime = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
const AUTHORS = { user: "you", assistant: "assistant", agent: "agent", system: "system" };

/** A node for a message, or the one that the server rendered. */
export function messageNode() {
  return cloneOf("message-template");
}

/** Show a message of the log. `text` is its content, or what of it has been streamed. */
export function paintMessage(node, message, text) {
  const settled = !isActive(message);
  node.dataset.id = message.message_id;
  node.dataset.role = message.role;
  node.dataset.type = message.message_type;
  node.dataset.status = message.status;
  node.classList.remove("unacknowledged");
  if (settled) node.removeAttribute("aria-busy");
  else node.setAttribute("aria-busy", "true");
  part(node, ".author").textContent = say(AUTHORS[message.role] ?? "system");
  if (node.dataset.seq !== String(message.seq) || !settled) paintBody(node, message, text);
  node.dataset.seq = message.seq;
  part(node, ".unsent").hidden = true;
  part(node, ".state").textContent = message.status === "stopped" && !message.error ? say("stopped") : "";
  paintTime(part(node, "time"), message.timestamp);
  paintFeedback(node, message.feedback);
}

/** Only the text of a running reply: what happens many times a second. */
export function paintText(node, message, text) {
  paintMarkdown(part(node, ".body"), text, isActive(message) ? null : message.sources);
}

function paintBody(node, message, text) {
  const body = part(node, ".body");
  if (message.language) body.lang = message.language;
  if (message.role === "assistant" || message.role === "agent") {
    paintText(node, message, withoutNotice(message, text));
    if (!isActive(message)) addCodeButtons(body);
  } else body.textContent = text || (message.message_type === "event" ? say("team_joined") : "");
  paintNotice(part(node, ".notice"), message.error);
  paintSources(part(node, ".sources"), message);
  paintSuggestions(part(node, ".suggestions"), message);
}

/** The notice of a bad end closes the content; it is shown in a box of its own. */
function withoutNotice(message, text) {
  const notice = message.error?.message;
  return notice && text.endsWith(notice) ? text.slice(0, -notice.length).trimEnd() : text;
}

function paintNotice(node, error) {
  node.hidden = !error;
  node.lastElementChild.textContent = error?.message ?? "";
}

function paintSources(list, { sources, language }) {
  list.hidden = sources.length === 0;
  list.replaceChildren(...sources.map((source) => sourceItem(source, language)));
}

function sourceItem(source, language) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  Object.assign(link, { href: source.url, target: "_blank", rel: "noopener" });
  const question = Object.assign(span("q", source.question), { lang: language });
  link.append(span("n", source.n), question, span("visually-hidden", ` (${say("opens_new_tab")})`));
  item.append(link);
  return item;
}

function span(className, text) {
  return Object.assign(document.createElement("span"), { className, textContent: text });
}

function paintSuggestions(box, { suggestions, language }) {
  box.replaceChildren(
    ...suggestions.map((text) => {
      const chip = Object.assign(document.createElement("button"), { type: "button", className: "chip", lang: language, textContent: text });
      chip.dataset.ask = text;
      return chip;
    }),
  );
}

export function paintFeedback(node, value) {
  for (const verdict of ["up", "down"]) part(node, `[data-act=${verdict}]`).setAttribute("aria-pressed", value === verdict);
}

function paintTime(node, timestamp) {
  const moment = new Date(timestamp);
  node.dateTime = timestamp;
  node.textContent = moment.toDateString() === new Date().toDateString() ? time.format(moment) : dayAndTime.format(moment);
}

/** Server-rendered nodes lack what only the script can do. */
export function addCodeButtons(body) {
  for (const block of body.querySelectorAll("pre:not(:has(.act))")) {
    const button = cloneOf("message-template").querySelector("[data-act=copy]");
    button.setAttribute("aria-label", say("copy_code"));
    button.title = say("copy_code");
    button.dataset.code = "";
    block.tabIndex = 0;
    block.append(button);
  }
}

/** A message that the server has not acknowledged yet. */
export function paintPending(node, entry) {
  node.dataset.client = entry.client_id;
  node.dataset.role = "user";
  node.classList.add("unacknowledged");
  part(node, ".author").textContent = say("you");
  part(node, ".body").textContent = entry.content;
  part(node, ".unsent").hidden = !entry.error;
  part(node, ".unsent span").textContent = entry.error ? `${say("not_sent")} ${entry.error}` : "";
  part(node, ".state").textContent = entry.error || entry.acknowledged ? "" : say("sending");
}
