// The note that opens at a mark on hover, tap or Enter, and closes on Escape or leaving. The page has one.
import { el } from "./dom";

const OPEN_AFTER_MS = 120;
const CLOSE_AFTER_MS = 250;
const GAP = 8;

export class Note {
  private readonly box = el("div", { class: "note", role: "dialog", hidden: true, tabindex: -1 });
  private at: HTMLElement | null = null;
  private pinned = false;
  private timer = 0;

  /** `fill` returns the content of a mark's note, or null if it has none. */
  constructor(private readonly root: HTMLElement, private readonly fill: (mark: HTMLElement) => Node[] | null) {
    root.append(this.box);
    root.addEventListener("pointerover", (event) => {
      if (event.pointerType === "mouse") this.hovered(event.target as HTMLElement);
    });
    root.addEventListener("click", (event) => this.clicked(event.target as HTMLElement));
    root.addEventListener("focusout", (event) => {
      const to = event.relatedTarget as Node | null;
      if (this.at && to && !this.box.contains(to) && to !== this.at) this.close();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.at) this.close(this.box.contains(document.activeElement));
    });
    addEventListener("resize", () => this.close());
  }

  close(refocus = false): void {
    clearTimeout(this.timer);
    const at = this.at;
    this.at = null;
    this.pinned = false;
    this.box.hidden = true;
    this.root.style.minHeight = "";
    at?.removeAttribute("aria-expanded");
    if (refocus) at?.focus();
  }

  private hovered(target: HTMLElement): void {
    const mark = markAt(target);
    if (this.pinned || mark === this.at || this.box.contains(target)) return void clearTimeout(this.timer);
    clearTimeout(this.timer);
    if (mark) this.timer = setTimeout(() => this.open(mark), OPEN_AFTER_MS);
    else if (this.at) this.timer = setTimeout(() => this.close(), CLOSE_AFTER_MS);
  }

  private clicked(target: HTMLElement): void {
    const mark = markAt(target);
    if (mark && this.at === mark && this.pinned) return this.close(true);
    if (mark) {
      this.open(mark);
      this.pinned = true;
      this.box.focus({ preventScroll: true });
    } else if (!this.box.contains(target)) this.close();
  }

  private open(mark: HTMLElement): void {
    this.close();
    const content = this.fill(mark);
    if (!content) return;
    this.at = mark;
    mark.setAttribute("aria-expanded", "true");
    this.box.setAttribute("aria-label", mark.getAttribute("aria-label") ?? "Source");
    this.box.replaceChildren(...content);
    this.box.hidden = false;
    this.place(mark);
  }

  /** Place it below the mark, or above if there is more room, but never outside the page, which a host may clip. */
  private place(mark: HTMLElement): void {
    const page = this.root.getBoundingClientRect();
    const spot = mark.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.box;
    const left = Math.max(GAP, Math.min(spot.left - page.left - 24, page.width - width - GAP));
    const under = spot.bottom - page.top + GAP;
    const over = spot.top - page.top - height - GAP;
    const below = under + height <= Math.max(page.height, innerHeight - page.top) && (spot.bottom + height + GAP <= innerHeight || over < 0);
    const top = below || over < 0 ? under : over;
    this.box.style.left = `${left}px`;
    this.box.style.top = `${top}px`;
    if (top + height > page.height) this.root.style.minHeight = `${top + height + GAP}px`;
  }
}

const markAt = (target: HTMLElement): HTMLElement | null => target.closest<HTMLElement>("[aria-haspopup=dialog]");
