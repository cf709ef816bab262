// A tool's result as the host passes it on.
import { isFields, readReport } from "./model";
import type { Report } from "./model";

/** `pollSeconds` is how long to wait before asking again; `usual` is how long such a run usually takes. */
export interface Result {
  report: Report | null;
  text: string;
  failed: boolean;
  /** Parts were left out for the model; the full answer is a resource. */
  cut: boolean;
  pollSeconds: number;
  usual: [number, number] | null;
}

export const WAITING = "parallel-mcp/waiting";
const DEFAULT_POLL_SECONDS = 5;

export function readResult(value: unknown, question: string): Result {
  const result = isFields(value) ? value : {};
  const meta = isFields(result._meta) ? result._meta : {};
  const waiting = isFields(meta[WAITING]) ? meta[WAITING] : {};
  const seconds = (item: unknown): number | null => (typeof item === "number" && item > 0 ? item : null);
  const [least, most] = [seconds(waiting.usualFrom), seconds(waiting.usualTo)];
  return {
    report: result.isError === true ? null : readReport(result.structuredContent, question),
    text: textOf(result.content),
    failed: result.isError === true,
    cut: blocks(result.content).some((block) => block.type === "resource_link"),
    pollSeconds: seconds(waiting.pollSeconds) ?? DEFAULT_POLL_SECONDS,
    usual: least !== null && most !== null ? [least, most] : null,
  };
}

const blocks = (content: unknown): Record<string, unknown>[] => (Array.isArray(content) ? content : []).filter(isFields);
const textOf = (content: unknown): string =>
  blocks(content)
    .flatMap((block) => (block.type === "text" && typeof block.text === "string" ? [block.text] : []))
    .join("\n");
