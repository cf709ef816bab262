// An answer's Markdown as elements. markdown-it parses it, and only the elements listed here are created.
import MarkdownIt from "markdown-it";
import type { Token } from "markdown-it";
import { el } from "./dom";
import { withMarks } from "./marks";
import { clean, line, safeUrl } from "./text";

// Anything nested deeper than people write is flattened, because browsers are slow to lay out deep trees.
const DEEPEST = 24;
const LONGEST_HEADING = 160;

const parser = new MarkdownIt({ html: false, linkify: false, breaks: false });
// Every link stays a token, so that its text is shown. safeUrl decides what becomes a link.
parser.validateLink = () => true;

const PLAIN: Record<string, keyof HTMLElementTagNameMap> = {
  paragraph: "p", blockquote: "blockquote", bullet_list: "ul", ordered_list: "ol", list_item: "li",
  table: "table", thead: "thead", tbody: "tbody", tr: "tr", th: "th", td: "td", strong: "strong", em: "em", s: "s",
};
const WITH_DIRECTION = new Set(["p", "ul", "ol", "blockquote", "table", "th", "td"]);
const RIGHT_TO_LEFT = /^[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;

/** The elements of a Markdown text, with marks of known sources as buttons. */
export function markdown(text: string, sources: ReadonlySet<number>): DocumentFragment {
  const fragment = document.createDocumentFragment();
  fill(fragment, parser.parse(separated(clean(text)), {}), sources);
  return fragment;
}

/** A single line of Markdown, without blocks. */
export function phrase(text: string, sources: ReadonlySet<number>): HTMLElement {
  const span = el("span", { dir: "auto" });
  inline(span, parser.parseInline(clean(text), {})[0]?.children ?? [], sources);
  return span;
}

/**
 * Answers arrive with headings, and first and last rows of tables, run into the text around them.
 * Put these on their own lines, except in code: a table would drop any text beside its cells.
 */
export function separated(text: string): string {
  let fenced = false;
  let columns = 0;
  const lines = text.split("\n");
  const out: string[] = [];
  lines.forEach((row, index) => {
    if (/^\s{0,3}(```|~~~)/.test(row)) fenced = !fenced;
    if (fenced) return void out.push(row);
    if (!row.includes("|")) columns = 0;
    const [inside, after] = columns && !isRule(row) ? parted(row, columns) : ["", row];
    if (inside) out.push(inside, ...(after ? [""] : []));
    if (inside && !after) return;
    const rule = lines[index + 1] ?? "";
    if (after.includes("|") && isRule(rule)) {
      columns = bars(rule.trim().replace(/^\||\|$/g, "")).length + 1;
      out.push(...lastCells(after, columns));
    } else out.push(...headings(after));
  });
  return out.join("\n");
}

const isRule = (row: string): boolean => /^[\s:|-]+$/.test(row) && row.includes("|") && row.includes("-");
const bars = (row: string): number[] => [...row.matchAll(/\|/g)].map((found) => found.index).filter((at) => row[at - 1] !== "\\");
const headings = (row: string): string[] => row.split(/(?<=\S) (?=#{2,6} \S)/);

/** A table's header row, preceded by any other text on its line. */
function lastCells(row: string, columns: number): string[] {
  const first = bars(row).at(-columns - 1);
  const before = first === undefined || !row.trimEnd().endsWith("|") ? "" : row.slice(0, first).trim();
  return before ? [...headings(before), "", row.slice(first)] : [row];
}

/** A table row, and any other text on its line. */
function parted(row: string, columns: number): [inside: string, after: string] {
  const last = bars(row)[row.trimStart().startsWith("|") ? columns : columns - 1];
  return last === undefined ? [row, ""] : [row.slice(0, last + 1), row.slice(last + 1).trim()];
}

function fill(root: DocumentFragment, tokens: Token[], sources: ReadonlySet<number>): void {
  const open: (Node & ParentNode)[] = [root];
  const top = (): Node & ParentNode => open[open.length - 1]!;
  const level = levels();
  tokens.forEach((token, index) => {
    // The paragraph of an item in a list without blank lines.
    if (token.hidden) return;
    if (token.type === "inline") inline(top(), token.children ?? [], sources);
    else if (token.nesting === -1) open.pop();
    else if (token.nesting === 1) {
      if (open.length > DEEPEST) return void open.push(top());
      const said = tokens.slice(index + 1, index + 8).find((next) => next.type === "inline")?.content ?? "";
      const element = opening(token, said, level);
      top().append(element instanceof HTMLTableElement ? wide(element) : element);
      open.push(element);
    } else top().append(...leaf(token));
  });
}

/** A table that may be wider than the page scrolls on its own, also by keyboard. */
const wide = (table: HTMLElement): HTMLElement =>
  el("div", { class: "wide", tabindex: 0, role: "group", "aria-label": "Table" }, table);

/** Levels for an answer's headings: the first is the page's second level, and no level below it is skipped. */
function levels(): (level: number) => number {
  const above: number[] = [];
  return (level) => {
    while (above.length && above[above.length - 1]! >= level) above.pop();
    above.push(level);
    return Math.min(above.length + 1, 6);
  };
}

function opening(token: Token, said: string, level: (level: number) => number): HTMLElement {
  const kind = token.type.replace(/_open$/, "");
  if (kind === "heading") {
    // A heading as long as this is a paragraph that lost its line break.
    if (said.length > LONGEST_HEADING) return el("p", { dir: direction(said), class: "run-on" });
    return el(`h${level(Number(token.tag.slice(1)))}` as "h2", { dir: direction(said) });
  }
  const name = PLAIN[kind] ?? "span";
  const element = el(name, WITH_DIRECTION.has(name) ? { dir: direction(said) } : {});
  const start = Number(token.attrGet("start"));
  if (name === "ol" && Number.isSafeInteger(start) && start > 1) element.setAttribute("start", String(start));
  return element;
}

/** By the first letter. `auto` skips elements that have a direction, and re-evaluates for each piece added. */
const direction = (text: string): string => (RIGHT_TO_LEFT.test(/\p{L}/u.exec(text)?.[0] ?? "") ? "rtl" : "ltr");

function leaf(token: Token): Node[] {
  if (token.type === "hr") return [el("hr")];
  if (token.type === "fence" || token.type === "code_block") {
    return [el("pre", { tabindex: 0 }, el("code", {}, token.content))];
  }
  return token.content ? [el("p", { dir: "auto" }, token.content)] : [];
}

function inline(parent: Node & ParentNode, tokens: Token[], sources: ReadonlySet<number>): void {
  const open: (Node & ParentNode)[] = [parent];
  const top = (): Node & ParentNode => open[open.length - 1]!;
  let links = 0;
  for (const token of tokens) {
    if (token.type === "link_open") links += 1;
    if (token.type === "link_close") links -= 1;
    if (token.type === "text") {
      // A link cannot contain a button.
      top().append(...(links > 0 ? [token.content] : withMarks(token.content, sources)));
    } else if (token.type === "softbreak") top().append(" ");
    else if (token.type === "hardbreak") top().append(el("br"));
    else if (token.type === "code_inline") top().append(el("code", {}, token.content));
    else if (token.type === "image") top().append(picture(token));
    else if (token.nesting === -1) { if (open.length > 1) open.pop(); }
    else if (open.length > DEEPEST && token.nesting === 1) open.push(top());
    else if (token.nesting === 1) {
      const element = token.type === "link_open" ? link(String(token.attrGet("href") ?? "")) : el(PLAIN[token.type.replace(/_open$/, "")] ?? "span");
      top().append(element);
      open.push(element);
    }
  }
}

/** A link that a reader may follow, or a span if it leads to anything but a web page. */
export function link(url: string): HTMLElement {
  const safe = safeUrl(url);
  if (safe === null) return el("span");
  return el("a", { href: safe.href, target: "_blank", rel: "noopener noreferrer nofollow", title: line(safe.href, 200) });
}

/** Pictures are never loaded. Their description becomes the link. */
function picture(token: Token): HTMLElement {
  const element = link(String(token.attrGet("src") ?? ""));
  element.append(`[picture: ${line(token.content, 120) || "no description"}]`);
  return element;
}
