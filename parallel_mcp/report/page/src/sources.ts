// The numbered sources, as a list or singly in a note.
import { el, folded } from "./dom";
import { link } from "./markdown";
import { clean, domain, line, plural, safeUrl } from "./text";
import type { Citation } from "./model";

const MOST_IN_A_NOTE = 3;
const LONGEST_IN_A_NOTE = 420;
const LONGEST = 5_000;

/** All sources. Excerpts are created when unfolded, so that a thousand sources stay cheap. */
export function sourceList(citations: readonly Citation[]): HTMLElement {
  return el("ol", { class: "sources" }, ...citations.map((citation) =>
    el("li", { id: `source-${citation.number}` },
      el("span", { class: "number", "aria-hidden": "true" }, String(citation.number)),
      el("div", {},
        heading(citation),
        citation.excerpts.length > 0 &&
          folded([plural(citation.excerpts.length, "excerpt")], () => citation.excerpts.map((text) => quote(text, LONGEST)))))));
}

/** A note's content for a source: its title, its link and the excerpts that the answer is based on. */
export function sourceNote(citation: Citation): Node[] {
  const shown = citation.excerpts.slice(0, MOST_IN_A_NOTE);
  const more = citation.excerpts.length - shown.length;
  return [
    heading(citation),
    ...shown.map((text) => quote(text, LONGEST_IN_A_NOTE)),
    ...(more > 0 ? [el("p", { class: "soft" }, `${plural(more, "more excerpt")} under Sources`)] : []),
    ...(shown.length ? [] : [el("p", { class: "soft" }, "This source has no excerpts.")]),
  ];
}

function heading(citation: Citation): HTMLElement {
  const url = safeUrl(citation.url);
  const title = line(citation.title, 200);
  const anchor = url ? link(citation.url) : el("span");
  anchor.append(el("bdi", {}, title || (url ? line(url.href, 120) : line(citation.url, 120)) || "Untitled source"));
  return el("p", { class: "source" }, anchor, el("span", { class: "domain", dir: "ltr" }, url ? domain(url) : "no link"));
}

const quote = (text: string, most: number): HTMLElement => {
  const whole = clean(text);
  return el("blockquote", { dir: "auto" }, whole.length > most ? whole.slice(0, most).trimEnd() + "…" : whole);
};
