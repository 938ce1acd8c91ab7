// What the server gave this page: its data, its words, and how to ask for more.

import { csrfToken } from "./csrf.js";

export const data = JSON.parse(document.getElementById("chat-data").textContent);

/** What its words are in. `data.language` is the visitor's. */
export const pageLanguage = document.documentElement.lang;

export const by = (id) => document.getElementById(id);

/** A word of the page in its language, with {places} filled in. */
export function say(key, values = {}) {
  return data.strings[key].replace(/\{(\w+)\}/g, (_all, name) => values[name]);
}

/** POST a form; the answer's JSON. Throws an Error whose message is for people. */
export async function post(path, values = {}) {
  const headers = { Accept: "application/json", "X-CSRFToken": csrfToken() };
  return answer(await fetch(path, { method: "POST", headers, body: new URLSearchParams(values) }));
}

export async function get(path, signal) {
  return answer(await fetch(path, { headers: { Accept: "application/json" }, signal }));
}

/** A piece of a page made by our own templates. */
export async function fragment(path, signal) {
  const response = await fetch(path, { signal });
  if (!response.ok) throw new Error(say("failed_request"));
  return new DOMParser().parseFromString(await response.text(), "text/html").body;
}

async function answer(response) {
  const isJson = response.headers.get("Content-Type")?.includes("json");
  const body = isJson ? await response.json() : {};
  if (!response.ok) throw new Error(body.message ?? say("failed_request"));
  return body;
}

let hiding;

/** A short notice that goes away by itself. */
export function toast(text) {
  by("toast").textContent = text;
  by("toast").classList.add("shown");
  clearTimeout(hiding);
  hiding = setTimeout(() => by("toast").classList.remove("shown"), 5_000);
}

/** Tell screen readers, once. */
export function announce(text) {
  by("announcer").textContent = text;
}

export function cloneOf(templateId) {
  return by(templateId).content.firstElementChild.cloneNode(true);
}
