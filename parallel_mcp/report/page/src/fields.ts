// A structured answer: fields, lists and tables, each with its basis.
import { confidence } from "./confidence";
import { el } from "./dom";
import { link, markdown, phrase } from "./markdown";
import { mark } from "./marks";
import { isFields } from "./model";
import { clean, humanised, pathWords, plural, safeUrl } from "./text";
import type { Basis } from "./model";

const DEEPEST = 8;
const MOST_COLUMNS = 8;
const MOST_ROWS = 500;
const LONGEST_LINE = 120;
const LONGEST_CELL = 240;
const LONGEST_JSON = 20_000;

/** The data of a structured answer as sections. `basis` has the entries by path. */
export class Fields {
  private readonly byPath: ReadonlyMap<string, Basis>;

  constructor(basis: readonly Basis[], private readonly sources: ReadonlySet<number>) {
    this.byPath = new Map(basis.map((entry) => [entry.field, entry]));
  }

  /** Every top-level field of the data. */
  all(data: unknown): HTMLElement {
    if (!isFields(data)) return el("div", { class: "fields" }, this.value(data, "", 0));
    return el("div", { class: "fields" }, ...Object.entries(data).map(([name, value]) =>
      el("section", { class: "field" },
        el("h2", { dir: "auto" }, humanised(name)),
        this.basis(name),
        el("div", { class: "value" }, this.value(value, name, 1)))));
  }

  /** The confidence and basis of a path: dots, a button that shows the reasoning, and marks. */
  private basis(path: string): HTMLElement | null {
    const entry = this.byPath.get(path);
    if (!entry) return null;
    const numbers = [...new Set(entry.citations)].filter((number) => this.sources.has(number));
    const why = el("button", { class: "why", type: "button", "data-field": path, "aria-haspopup": "dialog",
      "aria-label": `${entry.confidence ? `${entry.confidence} confidence, w` : "W"}hy: ${pathWords(path)}` },
      entry.confidence ? confidence(entry.confidence) : "Why");
    const shown = numbers.slice(0, 3);
    return el("div", { class: "basis" }, why, ...shown.map(mark),
      numbers.length > shown.length && el("span", { class: "soft" }, ` and ${plural(numbers.length - shown.length, "more source")}`));
  }

  private value(value: unknown, path: string, depth: number): Node {
    if (value === null || value === undefined || value === "") return el("span", { class: "soft" }, "not found");
    if (typeof value === "string") return this.text(value);
    if (typeof value === "boolean") return document.createTextNode(value ? "Yes" : "No");
    if (typeof value === "number") return document.createTextNode(value.toLocaleString("en", { maximumFractionDigits: 10 }));
    if (depth > DEEPEST) return el("pre", { tabindex: 0 }, el("code", {}, json(value)));
    if (Array.isArray(value)) return this.list(value, path, depth);
    return this.object(value as Record<string, unknown>, path, depth);
  }

  private text(value: string): Node {
    const url = /^https?:\/\/\S+$/.test(value) ? safeUrl(value) : null;
    if (url) {
      const anchor = link(value);
      anchor.append(url.href.length > 80 ? url.href.slice(0, 79) + "…" : url.href);
      return anchor;
    }
    if (value.length <= LONGEST_LINE && !value.includes("\n")) {
      return phrase(value, this.sources);
    }
    return el("div", { class: "prose" }, markdown(value, this.sources));
  }

  private list(items: unknown[], path: string, depth: number): Node {
    if (!items.length) return el("span", { class: "soft" }, "none");
    if (items.length > MOST_ROWS) return el("pre", { tabindex: 0 }, el("code", {}, json(items)));
    const columns = columnsOf(items);
    if (columns) return this.table(items as Record<string, unknown>[], columns, path);
    const simple = items.every((item) => !isFields(item) && !Array.isArray(item));
    return el(simple ? "ul" : "ol", { class: simple ? "" : "cards" }, ...items.map((item, index) =>
      el("li", {}, this.value(item, `${path}.${index}`, depth + 1), this.basis(`${path}.${index}`))));
  }

  private object(value: Record<string, unknown>, path: string, depth: number): Node {
    const entries = Object.entries(value);
    if (!entries.length) return el("span", { class: "soft" }, "none");
    return el("dl", {}, ...entries.map(([name, item]) => {
      const basis = this.basis(`${path}.${name}`);
      return el("div", { class: "item" }, el("dt", { dir: "auto" }, humanised(name)),
        basis && el("dd", {}, basis), el("dd", { class: "value" }, this.value(item, `${path}.${name}`, depth + 1)));
    }));
  }

  private table(rows: Record<string, unknown>[], columns: string[], path: string): Node {
    const based = rows.some((_, index) => this.byPath.has(`${path}.${index}`));
    const head = el("tr", {}, ...columns.map((name) => el("th", { scope: "col", dir: "auto" }, humanised(name))),
      based && el("th", { scope: "col" }, "Basis"));
    const body = rows.map((row, index) => el("tr", {},
      ...columns.map((name) => el("td", { dir: "auto" }, this.value(Object.hasOwn(row, name) ? row[name] : null, "", DEEPEST), this.basis(`${path}.${index}.${name}`))),
      based && el("td", {}, this.basis(`${path}.${index}`))));
    return el("div", { class: "wide", tabindex: 0, role: "group", "aria-label": humanised(path.split(".").pop() ?? "Table") },
      el("table", {}, el("thead", {}, head), el("tbody", {}, ...body)));
  }
}

/** The columns if the items are rows: objects of a few short values. */
function columnsOf(items: unknown[]): string[] | null {
  if (items.length < 2 || !items.every(isFields)) return null;
  const columns = new Set<string>();
  for (const item of items) {
    for (const [name, value] of Object.entries(item)) {
      if (typeof value === "object" && value !== null) return null;
      if (typeof value === "string" && value.length > LONGEST_CELL) return null;
      columns.add(name);
    }
    if (columns.size > MOST_COLUMNS) return null;
  }
  return columns.size ? [...columns] : null;
}

const json = (value: unknown): string => clean(JSON.stringify(value, null, 2)).slice(0, LONGEST_JSON);
