// The whole report: question, facts, answer, sources, reasoning.
import { atAGlance, confidence } from "./confidence";
import { el, folded } from "./dom";
import { Fields } from "./fields";
import { markdown } from "./markdown";
import { mark } from "./marks";
import { clean, duration, line, pathWords, plural } from "./text";
import { sourceList } from "./sources";
import type { Answer, Basis, Report } from "./model";

const LONGEST_QUESTION = 240;
const LISTED_AT_ONCE = 8;
const MOST_MARKS = 40;
const MOST_BELOW = 12;

export interface Look {
  locale: string | undefined;
  timeZone: string | undefined;
  /** In a conversation the sources start folded; in a file everything is shown. */
  inline: boolean;
}

export function reportOf(report: Report, look: Look): Node[] {
  const { answer } = report;
  return [
    el("header", {}, ...title(report), facts(report, look), answer && atAGlance(answer.basis)),
    ...(report.error ? [el("p", { class: "trouble", dir: "auto" }, clean(report.error))] : []),
    ...(answer ? answered(answer, look) : []),
    ...(report.researchId ? [el("footer", {}, `Research run ${line(report.researchId, 80)}`)] : []),
  ];
}

/** What kind of page this is, and the question as its heading. */
export function title(report: Report): Node[] {
  const question = line(report.question, LONGEST_QUESTION);
  const whole = clean(report.question);
  const cut = whole.replace(/\s+/g, " ").trim().length > LONGEST_QUESTION;
  const size = question.length > 140 ? "small" : question.length > 70 ? "middle" : "";
  return [
    el("p", { class: "kind" }, report.researchId ? "Deep research" : "Web answer"),
    el("h1", { dir: "auto", class: size }, question || "Answer"),
    ...(cut ? [folded(["Full question"], () => [el("p", { class: "question", dir: "auto" }, whole)])] : []),
  ];
}

function facts(report: Report, look: Look): HTMLElement {
  const { answer } = report;
  const said: [string, string | null][] = [
    ["Status", report.status === "completed" ? null : report.status],
    ["Model", line(report.model, 40) || null],
    ["Time", report.seconds === null ? null : duration(report.seconds)],
    ["Cost", answer?.costUsd == null ? null : answer.costUsd === 0 ? "$0" : `$${answer.costUsd.toFixed(3)}`],
    ["Sources", answer ? String(answer.citations.length) : null],
    ["Asked", report.createdAt && day(report.createdAt, look)],
    ["Delivery", answer?.reused ? "stored answer, not paid again" : null],
  ];
  return el("dl", { class: "facts" }, ...said.flatMap(([name, value]) =>
    value === null ? [] : [el("div", {}, el("dt", {}, name), el("dd", {}, value))]));
}

function day(iso: string, look: Look): string | null {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return null;
  const options: Intl.DateTimeFormatOptions = { dateStyle: "medium", timeStyle: "short" };
  try {
    return date.toLocaleString(look.locale ?? "en-GB", { ...options, timeZone: look.timeZone });
  } catch {
    return date.toLocaleString("en-GB", options);
  }
}

function answered(answer: Answer, look: Look): Node[] {
  const sources = new Set(answer.citations.map((citation) => citation.number));
  const structured = answer.data !== null && answer.data !== undefined;
  return [
    ...(structured ? [new Fields(answer.basis, sources).all(answer.data)] : prose(answer, sources)),
    ...notes(answer),
    ...listed(answer, look),
    ...reasons(answer, sources),
  ];
}

/** The text. If it has no citation marks, its sources are listed below it. */
function prose(answer: Answer, sources: ReadonlySet<number>): Node[] {
  const article = el("article", { class: "prose" }, markdown(answer.content, sources));
  if (article.querySelector(".mark") || !sources.size) return [article];
  const based = answer.basis.flatMap((entry) => entry.citations).filter((number) => sources.has(number));
  const numbers = [...new Set(based.length ? based : sources)];
  const shown = numbers.slice(0, MOST_BELOW);
  const more = numbers.length - shown.length;
  return [article, el("p", { class: "basis rests" }, el("span", { class: "soft" }, "Based on"), ...shown.map(mark),
    more > 0 && el("span", { class: "soft" }, `and ${plural(more, "more source")}`))];
}

function notes(answer: Answer): Node[] {
  if (!answer.warnings.length) return [];
  return [el("ul", { class: "notes", "aria-label": "Notes" }, ...answer.warnings.map((text) => el("li", { dir: "auto" }, line(text, 1000))))];
}

function listed(answer: Answer, look: Look): Node[] {
  const { citations } = answer;
  if (!citations.length) return [];
  if (look.inline && citations.length > LISTED_AT_ONCE) {
    return [folded([el("h2", {}, plural(citations.length, "source"))], () => [sourceList(citations)], { class: "section" })];
  }
  return [el("section", { class: "section" }, el("h2", {}, plural(citations.length, "source")), sourceList(citations))];
}

/** The reasoning by field, folded. */
function reasons(answer: Answer, sources: ReadonlySet<number>): Node[] {
  const told = answer.basis.filter((entry) => entry.reasoning.trim());
  if (!told.length) return [];
  const several = answer.basis.length > 1;
  const label = several ? `Reasoning by field (${told.length})` : "Reasoning";
  return [folded([el("h2", {}, label)], () => told.map((entry) =>
    el("section", { class: "reason" }, several && el("h3", { dir: "auto" }, pathWords(entry.field)), ...explanation(entry, sources))), { class: "section" })];
}

/** Confidence, marks and reasoning of one field. */
export function explanation(entry: Basis, sources: ReadonlySet<number>): Node[] {
  const numbers = [...new Set(entry.citations)].filter((number) => sources.has(number));
  return [
    el("p", { class: "basis" }, entry.confidence && confidence(entry.confidence), ...numbers.slice(0, MOST_MARKS).map(mark)),
    el("p", { dir: "auto" }, line(entry.reasoning, 6000) || "No reasoning came with this field."),
  ];
}
