// Markdown of answers to safe DOM; chatbot/markdown.py does the same on the server, with the same lists.

import { Marked } from "../vendor/marked-18.2.1/marked.esm.js";

export const TAGS = [
  "p", "br", "hr", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a",
  "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td",
];
const ATTRIBUTES = ["href", "title", "target", "start", "class"];
const SAFE_ADDRESS = /^(?:(?:https?|mailto):|[^a-z]|[a-z+.-]+(?:[^a-z+.\-:]|$))/i;

const escapeHtml = (text) =>
  text.replace(/[&<>"']/g, (character) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[character]);

let sources = new Map();
let settled = true;

const citation = {
  name: "citation",
  level: "inline",
  start: (text) => text.indexOf("["),
  tokenizer(text) {
    const match = /^\[(\d{1,3})\](?!\()/.exec(text);
    if (!match || this.lexer.state.inLink || (settled && !sources.has(Number(match[1])))) return undefined;
    return { type: "citation", raw: match[0], number: Number(match[1]) };
  },
  renderer({ number }) {
    const source = sources.get(number);
    if (!source) return `<a class="cite">${number}</a>`;
    return `<a class="cite" href="${escapeHtml(source.url)}" title="${escapeHtml(source.question)}" target="_blank">${number}</a>`;
  },
};

const parser = new Marked({
  gfm: true,
  breaks: true,
  extensions: [citation],
  tokenizer: {
    // A definition would turn citations into links of the model's own making.
    def: () => undefined,
    url: () => undefined,
  },
  renderer: {
    html: ({ text }) => escapeHtml(text),
    image: ({ href, text }) => `!<a href="${escapeHtml(href)}">${escapeHtml(text)}</a>`,
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
    heading({ tokens, depth }) {
      const level = Math.min(depth + 2, 6);
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>`;
    },
    code: ({ text }) => `<pre><code>${escapeHtml(text)}</code></pre>`,
    del({ tokens }) {
      return `<s>${this.parser.parseInline(tokens)}</s>`;
    },
  },
});

function isForeign(href) {
  try {
    const address = new URL(href, document.baseURI);
    return /^https?:$/.test(address.protocol) && address.host !== location.host;
  } catch {
    return true;
  }
}

const purify = window.DOMPurify(window);
purify.addHook("afterSanitizeAttributes", (node) => {
  if (node.getAttribute("class") !== "cite") node.removeAttribute("class");
  if (node.nodeName !== "A") return;
  node.setAttribute("rel", "noopener nofollow");
  const isCitation = node.classList.contains("cite");
  if (!isCitation) node.removeAttribute("target");
  if (node.hasAttribute("href") && (isCitation || isForeign(node.getAttribute("href")))) node.setAttribute("target", "_blank");
});

export function sanitise(html) {
  return purify.sanitize(html, {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ATTRIBUTES,
    ALLOWED_URI_REGEXP: SAFE_ADDRESS,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
}

/** The text's blocks as HTML, not yet safe. Before the sources are known (`null`), any `[n]` looks like a citation. */
function blocks(text, known) {
  settled = known !== null;
  sources = new Map((known ?? []).map((source) => [source.n, source]));
  return parser
    .lexer(text)
    .filter((token) => token.type !== "space")
    .map((token) => parser.parser([token]));
}

/** Show a text in a node. Only blocks that changed are made again, so selection and focus survive streaming. */
export function paint(node, text, known) {
  const wanted = blocks(text, known);
  const held = [...node.children];
  if (node.htmls === undefined) node.replaceChildren();
  const before = node.htmls ?? [];
  wanted.forEach((html, index) => {
    if (before[index] === html) return;
    const block = document.createElement("div");
    block.className = "block";
    block.append(sanitise(html));
    if (index < before.length) held[index].replaceWith(block);
    else node.append(block);
  });
  for (const extra of held.slice(node.htmls ? wanted.length : held.length)) extra.remove();
  node.htmls = wanted;
}
