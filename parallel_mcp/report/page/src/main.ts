// Assembles the page. In a host it follows what the tool does; in a file it shows the run in that file.
import { el, openForPrinting } from "./dom";
import { exportMenu, readText } from "./exports";
import { follow } from "./follow";
import { Host } from "./host";
import type { HostContext } from "./host";
import { readReport } from "./model";
import type { Report } from "./model";
import { Note } from "./note";
import { explanation, reportOf, title } from "./report";
import { readResult } from "./results";
import type { Result } from "./results";
import { sourceNote } from "./sources";
import { clean, line, pathWords, safeUrl } from "./text";
import { applyTheme } from "./theme";
import { Working } from "./working";

const page = document.getElementById("page")!;
const body = el("div", { class: "report" });
const tools = el("div", { class: "tools" });
const status = el("p", { class: "unseen", role: "status" });
page.append(tools, body, status);

let shown: Report | null = null;
const note = new Note(page, noteFor);
openForPrinting(page);

/** The content of a mark's note: a source, or the basis of a field. */
function noteFor(at: HTMLElement): Node[] | null {
  const answer = shown?.answer;
  if (!answer) return null;
  if (at.dataset.source !== undefined) {
    const citation = answer.citations.find((one) => one.number === Number(at.dataset.source));
    return citation ? sourceNote(citation) : null;
  }
  const entry = answer.basis.find((one) => one.field === at.dataset.field);
  const sources = new Set(answer.citations.map((one) => one.number));
  return entry ? [el("p", { class: "field-name", dir: "auto" }, pathWords(entry.field)), ...explanation(entry, sources)] : null;
}

function show(report: Report | null, nodes: Node[]): void {
  note.close();
  shown = report;
  body.replaceChildren(...nodes);
}

const file = document.getElementById("research");
if (file) inFile(file.textContent ?? "");
else inHost(new Host());

function inFile(json: string): void {
  document.documentElement.dataset.mode = "file";
  let report: Report | null = null;
  try {
    report = readReport(JSON.parse(json));
  } catch {
    // Reported below.
  }
  if (!report) return show(null, [el("p", { class: "trouble", role: "alert" }, "This file contains no research run that this page can read.")]);
  document.title = line(report.question, 120) || document.title;
  tools.append(el("button", { type: "button", on: { click: () => print() } }, "Print"));
  show(report, reportOf(report, { locale: undefined, timeZone: undefined, inline: false }));
}

function inHost(host: Host): void {
  let asked: Record<string, unknown> = {};
  let working: Working | null = null;
  let stop = new AbortController();
  let last = "";

  const question = (): string => (typeof asked.question === "string" ? asked.question : shown?.question ?? "");
  const deep = (): boolean => host.context.toolInfo?.tool?.name !== "web_answer";
  const button = (label: string, act: () => void): HTMLElement => el("button", { type: "button", on: { click: act } }, label);
  const say = (words: string): void => void (status.textContent = words);

  function begin(): void {
    const report: Report = {
      researchId: null, status: "working", question: question(), answer: null, error: null,
      model: deep() && typeof asked.model === "string" ? asked.model : "", createdAt: null, seconds: null,
    };
    working = new Working(report, null, []);
    show(report, working.nodes);
  }

  function take(value: unknown): void {
    stop.abort();
    stop = new AbortController();
    void arrived(readResult(value, question()), false);
  }

  /** Show a result. `polled` results are those that the model has not seen. */
  async function arrived(result: Result, polled: boolean): Promise<void> {
    last = result.text;
    const { report } = result;
    const { signal } = stop;
    if (polled && report?.status !== "working") tell(result);
    if (report?.status === "working") return keepOn(report, result);
    const full = result.cut && report?.researchId ? await whole(report.researchId) : null;
    if (signal.aborted) return;
    working = null;
    if (!report) return failed(result);
    finished(full ?? report);
  }

  function finished(report: Report): void {
    show(report, reportOf(report, look()));
    offer(report);
    say(report.answer ? "The answer is here." : `The research run is ${report.status}.`);
  }

  /** The run with the parts that were left out for the model, if the host lets the page read it. */
  async function whole(id: string): Promise<Report | null> {
    if (!host.can("serverResources")) return null;
    return readText(host, `research://${id}/json`).then((text) => readReport(JSON.parse(text)), () => null);
  }

  function keepOn(report: Report, result: Result): void {
    const canAsk = host.can("serverTools");
    const actions = canAsk && report.researchId ? [button("Stop", () => void cancel(report.researchId!))] : [];
    working = new Working(report, result.usual, actions);
    show(report, working.nodes);
    tools.replaceChildren();
    say("The research run is still working.");
    if (!canAsk) return;
    const { signal } = stop;
    void follow(host, result, signal, (seen) => working?.expect(seen.usual, seen.report?.seconds ?? null)).then((final) => {
      if (signal.aborted) return;
      if (final) void arrived(final, true);
      else say("The host no longer responds. Ask the assistant to continue the research run.");
    });
  }

  async function cancel(id: string): Promise<void> {
    stop.abort();
    stop = new AbortController();
    try {
      await arrived(readResult(await host.request("tools/call", { name: "deep_research", arguments: { research_id: id, cancel: true } }), question()), true);
    } catch {
      say("The research run could not be stopped.");
    }
  }

  function failed(result: Result): void {
    show(shown, [
      el("header", {}, ...(question() ? title({ ...blank, question: question(), researchId: deep() ? "-" : null }) : [])),
      el("p", { class: "trouble", role: "alert", dir: "auto" }, clean(result.text) || "The tool returned no answer."),
    ]);
    tools.replaceChildren();
  }

  /** The host stopped the call. A research run continues without it, and the same question joins it. */
  function cancelled(reason: unknown): void {
    working = null;
    const why = typeof reason === "string" && reason ? ` (${line(reason, 120)})` : "";
    const again = deep() && host.can("serverTools") && question() !== "";
    show(shown, [
      el("header", {}, ...title({ ...blank, question: question(), researchId: deep() ? "-" : null })),
      el("div", { class: "working" },
        el("p", { role: "alert" }, `The call was stopped${why}.`),
        deep() && el("p", { class: "soft" }, "If a research run had started, it continues. Asking the same question again picks it up and does not pay twice."),
        again && el("div", { class: "actions" }, button("Keep waiting", () => void resume()))),
    ]);
  }

  async function resume(): Promise<void> {
    begin();
    try {
      await arrived(readResult(await host.request("tools/call", { name: "deep_research", arguments: asked }), question()), true);
    } catch {
      cancelled("the host did not run it");
    }
  }

  /** Tell the model, for its next turn, what it has not seen. Nothing is sent in the reader's name. */
  function tell(result: Result): void {
    if (!host.can("updateModelContext")) return;
    const text = `${result.failed ? "The research run ended without an answer." : "The research run has finished. This is its result."}\n\n${result.text}`;
    host.request("ui/update-model-context", { content: [{ type: "text", text }] }).catch(() => undefined);
  }

  function offer(report: Report): void {
    const menu = exportMenu(host, report, last, say);
    const full = host.context.availableDisplayModes?.includes("fullscreen") && host.context.displayMode !== "fullscreen";
    tools.replaceChildren(...(menu ? [menu] : []), ...(full ? [button("Full screen", () => void widen())] : []));
  }

  async function widen(): Promise<void> {
    const result = await host.request("ui/request-display-mode", { mode: "fullscreen" }).catch(() => ({}) as Record<string, unknown>);
    if (typeof result.mode === "string") change({ displayMode: result.mode });
  }

  const look = () => ({
    locale: host.context.locale, timeZone: host.context.timeZone, inline: host.context.displayMode !== "fullscreen",
  });

  function change(context: HostContext): void {
    const before = host.context.displayMode;
    host.context = { ...host.context, ...context };
    applyTheme(context);
    if (host.context.displayMode !== before && shown?.answer) {
      show(shown, reportOf(shown, look()));
      offer(shown);
    }
  }

  page.addEventListener("click", (event) => {
    const anchor = (event.target as Element).closest("a");
    const url = anchor && safeUrl(anchor.href);
    if (!url || !host.can("openLinks")) return;
    event.preventDefault();
    host.request("ui/open-link", { url: url.href }).catch(() => say("The host did not open the link."));
  });
  host.on("ui/notifications/tool-input", (params) => {
    asked = (params.arguments as Record<string, unknown> | undefined) ?? {};
    if (!shown?.answer) begin();
  });
  host.on("ui/notifications/tool-result", take);
  host.on("ui/notifications/tool-cancelled", (params) => cancelled(params.reason));
  host.on("ui/notifications/host-context-changed", (params) => change(params as HostContext));
  host.on("ui/resource-teardown", () => (stop.abort(), clearInterval(clock), sizes.disconnect(), {}));

  const clock = setInterval(() => working?.tick(), 1000);
  let size = "";
  const sizes = new ResizeObserver(() => {
    const { width, height } = page.getBoundingClientRect();
    const now = { width: Math.ceil(width), height: Math.ceil(height) };
    if (size === (size = JSON.stringify(now))) return;
    host.notify("ui/notifications/size-changed", now);
  });
  void host.connect("parallel-mcp", "1").then(() => {
    applyTheme(host.context);
    sizes.observe(page);
  });
}

const blank: Report = {
  researchId: null, status: "failed", question: "", model: "", createdAt: null, seconds: null, answer: null, error: null,
};
