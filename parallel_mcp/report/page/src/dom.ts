// The only way this page creates elements: by name, with text as text. Markup is never parsed.

type Child = Node | string | null | false | undefined;
type Properties = { class?: string; on?: Record<string, (event: Event) => void> } & Record<string, unknown>;

/** An element with attributes and children. Strings become text nodes. */
export function el<K extends keyof HTMLElementTagNameMap>(
  name: K,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "on") {
      for (const [event, act] of Object.entries(value as Record<string, (event: Event) => void>)) {
        element.addEventListener(event, act);
      }
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(key, value === true ? "" : String(value));
    }
  }
  element.append(...children.filter((child): child is Node | string => child !== null && child !== false && child !== undefined));
  return element;
}

/** A `details` element that creates its content when it is first opened or printed. */
export function folded(summary: Child[], content: () => Node[], properties: Properties = {}): HTMLDetailsElement {
  const details = el("details", properties, el("summary", {}, ...summary));
  let made = false;
  details.addEventListener("fill", () => {
    if (made) return;
    made = true;
    details.append(...content());
  });
  details.addEventListener("toggle", () => {
    if (details.open) details.dispatchEvent(new Event("fill"));
  });
  return details;
}

/** Open everything for printing, and close it again afterwards. */
export function openForPrinting(root: HTMLElement): void {
  let opened: HTMLDetailsElement[] = [];
  addEventListener("beforeprint", () => {
    // Opened content may contain more to open.
    for (let closed = shut(root); closed.length; closed = shut(root)) {
      for (const details of closed) {
        details.dispatchEvent(new Event("fill"));
        details.open = true;
      }
      opened.push(...closed);
    }
  });
  addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
    opened = [];
  });
}

const shut = (root: HTMLElement): HTMLDetailsElement[] => [
  ...root.querySelectorAll<HTMLDetailsElement>("details:not([open]):not(.menu)"),
];
