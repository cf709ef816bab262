// What is shown until there is an answer: the question, the time taken so far, and the usual time.
import { el } from "./dom";
import { title } from "./report";
import { duration, line } from "./text";
import type { Report } from "./model";

/** A run in flight. `tick` advances its clock. `usual` is the range of seconds that such a run takes. */
export class Working {
  readonly nodes: Node[];
  private readonly clock = el("span", { class: "clock" });
  private readonly done = el("i");
  private began: number;
  private usual: [number, number] | null = null;
  private readonly words = el("p", { class: "soft" });
  private readonly track = el("div", { class: "track" }, this.done);

  constructor(report: Report, usual: [number, number] | null, actions: Node[], now = performance.now()) {
    this.began = now - (report.seconds ?? 0) * 1000;
    this.track.setAttribute("role", "progressbar");
    this.track.setAttribute("aria-label", "Time taken");
    this.nodes = [
      el("header", {}, ...title(report)),
      el("div", { class: "working" },
        el("p", {}, el("strong", {}, `Researching${report.model ? ` with ${line(report.model, 40)}` : ""}`), this.clock),
        this.track, this.words, el("div", { class: "actions" }, ...actions)),
    ];
    this.expect(usual);
    this.tick(now);
  }

  /** Take the usual time and the server's own count of seconds from the newest result. */
  expect(usual: [number, number] | null, seconds: number | null = null, now = performance.now()): void {
    if (seconds !== null) this.began = now - seconds * 1000;
    this.usual = usual ?? this.usual;
  }

  tick(now = performance.now()): void {
    const seconds = Math.max(0, (now - this.began) / 1000);
    this.clock.textContent = duration(Math.floor(seconds));
    if (!this.usual) return;
    const [least, most] = this.usual;
    const part = Math.min(1, seconds / most);
    this.done.style.inlineSize = `${part * 100}%`;
    this.track.style.setProperty("--least", `${(least / most) * 100}%`);
    this.track.setAttribute("aria-valuenow", String(Math.round(part * 100)));
    this.words.textContent = seconds <= most ? `Usually takes ${least} to ${most} s` : "Still working; this is taking longer than usual";
  }
}
