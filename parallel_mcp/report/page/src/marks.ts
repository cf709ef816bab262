// Citation marks in text, such as [3], [3, 4] and [3-5], as buttons that show the source.
import { el } from "./dom";

const MARK = /\[\^?\d{1,4}(?:\s*[,;\u2013-]\s*\^?\d{1,4})*\]/g;
const MOST_IN_A_RANGE = 30;

/** The text with its marks as buttons. Brackets with any number that is not a source stay as they are. */
export function withMarks(text: string, sources: ReadonlySet<number>): Node[] {
  const nodes: Node[] = [];
  let end = 0;
  for (const found of text.matchAll(MARK)) {
    const numbers = numbersIn(found[0]);
    if (!numbers.length || !numbers.every((number) => sources.has(number))) continue;
    addText(nodes, text.slice(end, found.index).replace(/ $/, "\u202f"));
    nodes.push(...numbers.map(mark));
    end = found.index + found[0].length;
  }
  addText(nodes, text.slice(end));
  return nodes;
}

/** Append text, keeping punctuation on the same line as the mark before it. */
function addText(nodes: Node[], text: string): void {
  const stop = nodes.length ? (/^[.,;:!?)]{1,3}/.exec(text)?.[0] ?? "") : "";
  if (stop) nodes.push(el("span", { class: "kept" }, nodes.pop(), stop));
  if (text.length > stop.length) nodes.push(document.createTextNode(text.slice(stop.length)));
}

function numbersIn(mark: string): number[] {
  const numbers: number[] = [];
  for (const part of mark.slice(1, -1).replaceAll("^", "").split(/[,;]/)) {
    const [first, last] = part.split(/[\u2013-]/).map(Number);
    if (first === undefined) continue;
    if (last === undefined) numbers.push(first);
    else if (last < first || last - first > MOST_IN_A_RANGE) return [];
    else for (let number = first; number <= last; number++) numbers.push(number);
  }
  return numbers;
}

/** The button for one source. */
export const mark = (number: number): HTMLButtonElement =>
  el("button", { class: "mark", type: "button", "data-source": number, "aria-haspopup": "dialog", "aria-label": `Source ${number}` }, String(number));
