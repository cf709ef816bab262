// Polls a working run by its id, no more often than the tool asked for.
import type { Host } from "./host";
import { readResult } from "./results";
import type { Result } from "./results";

const LONGEST_PAUSE_SECONDS = 60;
const MOST_FAILURES = 8;

/** The pause before the next call. A test passes its own clock. */
export type Pause = (seconds: number, stop: AbortSignal) => Promise<void>;

export const pause: Pause = (seconds, stop) =>
  new Promise((done) => {
    const timer = setTimeout(done, seconds * 1000);
    stop.addEventListener("abort", () => (clearTimeout(timer), done()), { once: true });
  });

/**
 * The result of a run once it is no longer working, or null if it was stopped or the host kept failing.
 * `seen` is called with every result on the way.
 */
export async function follow(
  host: Pick<Host, "request">, working: Result, stop: AbortSignal, seen: (result: Result) => void, rest: Pause = pause,
): Promise<Result | null> {
  const id = working.report?.researchId;
  let { pollSeconds } = working;
  for (let failures = 0; id && failures < MOST_FAILURES; ) {
    await rest(Math.min(pollSeconds * 2 ** failures, Math.max(LONGEST_PAUSE_SECONDS, pollSeconds)), stop);
    if (stop.aborted) return null;
    let result: Result;
    try {
      result = readResult(await host.request("tools/call", { name: "deep_research", arguments: { research_id: id } }), working.report?.question ?? "");
    } catch {
      // The host gave up on the call, or is busy. The run itself continues.
      failures += 1;
      continue;
    }
    failures = 0;
    if (stop.aborted) return null;
    seen(result);
    if (result.report?.status !== "working") return result;
    pollSeconds = result.pollSeconds;
  }
  return null;
}
