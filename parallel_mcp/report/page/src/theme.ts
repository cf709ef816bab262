// The host's theme, variables and fonts.
import type { HostContext } from "./host";

const sheet = new CSSStyleSheet();

/** Apply the host's appearance. What it does not mention stays the same. */
export function applyTheme(context: HostContext): void {
  const root = document.documentElement;
  if (context.theme === "light" || context.theme === "dark") root.style.colorScheme = context.theme;
  for (const [name, value] of Object.entries(context.styles?.variables ?? {})) {
    if (/^--[a-z0-9-]+$/.test(name) && typeof value === "string") root.style.setProperty(name, value);
  }
  const fonts = context.styles?.css?.fonts;
  if (typeof fonts === "string") {
    sheet.replaceSync(fonts);
    document.adoptedStyleSheets = [sheet];
  }
  for (const [side, pixels] of Object.entries(context.safeAreaInsets ?? {})) {
    if (/^(top|right|bottom|left)$/.test(side)) root.style.setProperty(`--inset-${side}`, `${Number(pixels)}px`);
  }
  if (context.displayMode) root.dataset.mode = context.displayMode;
}
