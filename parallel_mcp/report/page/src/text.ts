// Makes text from the web safe to show: no control characters, no direction overrides, only http(s) links.

// Controls, direction embeddings, overrides and isolates, line separators, invisible tags, BOM, soft hyphen.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u2028\u2029\u202a-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/gu;
const DIRECTION_MARKS = /[\u061c\u200e\u200f]/g;
// More marks on one letter than any script uses would reach into other lines.
const STACKED = /(\p{M}{4})\p{M}+/gu;

/** The text without invisible characters and ones that reach out of their place. Line breaks and tabs stay. */
export const clean = (text: string): string =>
  text.replace(/\r\n?/g, "\n").replace(UNSEEN, "").replace(STACKED, "$1");

/** One line of at most `most` characters. */
export function line(text: string, most = 300): string {
  const whole = clean(text.slice(0, most * 4)).replace(/\s+/g, " ").trim();
  return whole.length <= most ? whole : whole.slice(0, most - 1).trimEnd() + "…";
}

/** The URL as the browser parses it, or null if it is not safe to follow. */
export function safeUrl(url: string): URL | null {
  if (url.length > 4000) return null;
  try {
    const parsed = new URL(url.replace(DIRECTION_MARKS, ""));
    return (parsed.protocol === "https:" || parsed.protocol === "http:") && parsed.hostname ? parsed : null;
  } catch {
    return null;
  }
}

/** The host that a link leads to, in ASCII, so that a user part before an @ or lookalike letters deceive nobody. */
export const domain = (url: URL): string => url.hostname.replace(/^www\./, "");

/** `executive_summary` and `executiveSummary` as words. */
export function humanised(name: string): string {
  const words = line(name, 120).replace(/[_-]+/g, " ").replace(/([a-z\d])([A-Z])/g, "$1 $2").trim();
  return words ? words[0]!.toUpperCase() + words.slice(1) : "(no name)";
}

/** `founders.0.name` as "Founders › 1 › Name". List items are counted from 1, as people do. */
export const pathWords = (path: string): string =>
  path.split(".").map((part) => (/^\d{1,6}$/.test(part) ? String(Number(part) + 1) : humanised(part))).join(" › ");

/** 72 as "72 s", 190 as "3 min 10 s". */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 90) return `${seconds < 10 && whole !== seconds ? seconds.toFixed(1) : whole} s`;
  const minutes = Math.floor(whole / 60);
  return whole % 60 ? `${minutes} min ${whole % 60} s` : `${minutes} min`;
}

export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;
