// Confidence as dots and a word, so that it does not depend on colour or shape alone.
import { el } from "./dom";
import { pathWords, plural } from "./text";
import type { Basis, Confidence } from "./model";

const LEVELS: readonly Confidence[] = ["high", "medium", "low"];
const MOST_NAMED = 3;

/** "●●○ medium", read aloud as "medium confidence". */
export function confidence(level: Confidence, alone = true): HTMLElement {
  return el("span", { class: `confidence ${level}` },
    el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i")),
    level, alone && el("span", { class: "unseen" }, " confidence"));
}

/** The answer's confidence: one level, or a bar with the number of fields at each level and the weakest by name. */
export function atAGlance(basis: readonly Basis[]): HTMLElement | null {
  const rated = basis.filter((entry): entry is Basis & { confidence: Confidence } => entry.confidence !== null);
  if (!rated.length) return null;
  if (rated.length === 1) return el("p", { class: "glance" }, el("span", { class: "soft" }, "Confidence"), confidence(rated[0]!.confidence, false));
  const counts = LEVELS.map((level) => ({ level, count: rated.filter((entry) => entry.confidence === level).length }))
    .filter(({ count }) => count);
  const bar = el("span", { class: "bar", "aria-hidden": "true" });
  for (const { level, count } of counts) {
    const part = el("i", { class: level });
    part.style.flexGrow = String(count);
    bar.append(part);
  }
  const low = rated.filter((entry) => entry.confidence === "low");
  const named = low.slice(0, MOST_NAMED).map((entry) => pathWords(entry.field)).join(", ");
  return el("div", { class: "glance" }, bar,
    el("p", {}, el("span", { class: "soft" }, "Confidence"), ...counts.map(({ level, count }) => el("span", { class: `confidence ${level}` }, `${count} ${level}`)),
      el("span", { class: "unseen" }, `, of ${plural(rated.length, "field")}`)),
    low.length > 0 && el("p", { class: "soft", dir: "auto" }, `Least sure: ${named}${low.length > MOST_NAMED ? ", …" : ""}`));
}
