// Keeps what is written in this browser at every key, and saves it on the server soon after; a newer save of somebody else is never
// overwritten: the server refuses, and both texts are shown side by side. The page that comes after a form loads this too: it drops the
// copy in this browser if it shows that it was saved, a FAQ with that word or the run that publishes it.

import { csrfToken } from "../csrf.js";

const SOON = 1200;
const RETRY = 5000;
const PATIENCE = 10000;
const SENT = "parley.faq.sent";
const SKIPPED = new Set(["csrfmiddlewaretoken", "comment", "due_at", "_step", "base"]);

const time = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

/** The form goes out. */
function noteSent(key) {
  try {
    sessionStorage.setItem(SENT, JSON.stringify({ key, copy: localStorage.getItem(key), from: location.href.split("#")[0] }));
  } catch {
    // A browser without storage has no copy either.
  }
}

/** Whoever had to sign in first does not come from the form: what was sent is lost, and the copy is needed. So is what was written since. */
function settleSent(isSaved) {
  try {
    const sent = JSON.parse(sessionStorage.getItem(SENT));
    sessionStorage.removeItem(SENT);
    if (isSaved && sent?.from === document.referrer && sent.copy === localStorage.getItem(sent.key)) localStorage.removeItem(sent.key);
  } catch {
    // As above.
  }
}

export function keep(form, place) {
  const words = place.dataset;
  const state = place.querySelector("[role=status]");
  const key = `parley.faq.${words.faq || `new${location.search}`}`;
  const base = () => form.elements.namedItem("base")?.value ?? "";
  let timer = null;
  let sending = false;
  let paused = false;
  // The browser has a text that nobody has decided about yet: it is not written over.
  let undecided = false;
  let waiting = null;

  const values = () => Object.fromEntries([...new FormData(form)].filter(([name]) => !SKIPPED.has(name)));
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

  function tell(text, warning = false) {
    state.textContent = text;
    state.classList.toggle("warning", warning);
  }

  function store() {
    try {
      localStorage.setItem(key, JSON.stringify({ values: values(), base: base(), at: Date.now() }));
    } catch {
      // A browser without storage: the server keeps it a second later.
    }
  }

  function stored() {
    try {
      return JSON.parse(localStorage.getItem(key));
    } catch {
      return null;
    }
  }

  function fill(kept) {
    for (const [name, value] of Object.entries(kept)) {
      const field = form.elements.namedItem(name);
      if (field && "value" in field) field.value = value;
    }
  }

  function later(delay = SOON) {
    clearTimeout(timer);
    if (words.autosave && !paused) timer = setTimeout(save, delay);
  }

  /** The page's own token is void once somebody signed in again in another tab. */
  function renewToken() {
    const field = form.elements.namedItem("csrfmiddlewaretoken");
    field.value = csrfToken() || field.value;
  }

  function post() {
    renewToken();
    return fetch(words.autosave, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(PATIENCE),
    });
  }

  async function save() {
    if (sending) return later();
    sending = true;
    const sent = values();
    try {
      await answered(await post(), sent);
    } catch {
      tell(words.offline, true);
      later(RETRY);
    } finally {
      sending = false;
      waiting?.();
    }
  }

  // A button waits for the save that is on its way, so as not to meet it as if it were a colleague's.
  function onSubmit(event) {
    clearTimeout(timer);
    renewToken();
    if (!sending) {
      if (!undecided) noteSent(key);
      return;
    }
    event.preventDefault();
    const button = event.submitter;
    waiting = () => {
      waiting = null;
      clearTimeout(timer);
      form.requestSubmit(button);
    };
  }

  async function answered(response, sent) {
    if (response.redirected || !response.headers.get("Content-Type")?.includes("json")) {
      tell(response.status >= 500 ? words.offline : words.signedOut, true);
      return later(RETRY);
    }
    const found = await response.json();
    if (response.ok) return saved(found.base, sent);
    if (found.code === "csrf") later(RETRY);
    // What is wrong with a text is told until it is changed; a conflict is for the person to decide.
    else paused = found.code !== "invalid";
    tell(`${words.unsaved} ${found.message} ${found.code === "conflict" ? words.conflict : ""}`, true);
  }

  function saved(digest, sent) {
    form.elements.namedItem("base").value = digest;
    tell(`${words.saved} ${time(Date.now())}.`);
    if (same(sent, values())) localStorage.removeItem(key);
    else later();
  }

  function button(label, act) {
    const made = Object.assign(document.createElement("button"), { type: "button", textContent: label });
    made.addEventListener("click", act);
    state.append(" ", made);
  }

  function drop() {
    localStorage.removeItem(key);
    location.reload();
  }

  // The server shows both side by side when what is sent started from an older text.
  function compare(kept) {
    undecided = false;
    fill(kept.values);
    form.elements.namedItem("base").value = kept.base;
    form.requestSubmit(document.querySelector("button[name=_save]"));
  }

  function restore() {
    const kept = stored();
    if (!kept) return;
    if (same(kept.values, values())) {
      if (!document.querySelector(".conflict, .errornote, .errors")) localStorage.removeItem(key);
      return;
    }
    if (kept.base === base()) {
      fill(kept.values);
      tell(`${words.restored} ${time(kept.at)}.`);
      button(words.discard, drop);
      later(words.autosave ? SOON : 0);
      return;
    }
    paused = undecided = true;
    tell(`${words.newer} ${time(kept.at)}.`, true);
    button(words.compare, () => compare(kept));
    button(words.discard, drop);
  }

  form.addEventListener("input", () => {
    if (!undecided) store();
    later();
  });
  form.addEventListener("submit", onSubmit);
  addEventListener("online", () => later(0));
  restore();
}

settleSent(document.querySelector(".saved, #run") !== null);
