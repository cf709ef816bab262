// Saving a run as a file: the host reads it from the server and saves it where the reader chooses.
import { el } from "./dom";
import type { Host } from "./host";
import { isFields } from "./model";
import type { Report } from "./model";

const FORMATS: readonly [name: string, label: string, type: string][] = [
  ["md", "Markdown", "text/markdown"],
  ["html", "Web page", "text/html"],
  ["bib", "BibTeX", "application/x-bibtex"],
  ["ris", "RIS", "application/x-research-info-systems"],
  ["csl", "CSL-JSON", "application/vnd.citationstyles.csl+json"],
  ["json", "JSON", "application/json"],
];

/** The menu of file formats, or null if the host cannot save files. `said` is called with the outcome. */
export function exportMenu(host: Host, report: Report, text: string, said: (words: string) => void): HTMLElement | null {
  if (!host.can("downloadFile") || !report.answer) return null;
  const id = report.researchId;
  const buttons = (id ? FORMATS : FORMATS.filter(([name]) => name === "md")).map(([name, label, type]) =>
    el("button", { type: "button", "data-format": name, on: { click: () => void save(name, label, type) } }, label));

  async function save(name: string, label: string, type: string): Promise<void> {
    menu.open = false;
    try {
      const contents = id ? await read(host, `research://${id}/${name}`, type) : embedded("research://answer/md", type, text);
      const result = await host.request("ui/download-file", { contents: [contents] });
      said(result.isError === true ? `${label} was not saved.` : `${label} saved.`);
    } catch {
      said(`${label} could not be saved.`);
    }
  }
  const menu = el("details", { class: "menu" }, el("summary", {}, "Save as"), el("div", {}, ...buttons));
  return menu;
}

/** The file itself if the host lets the page read it, otherwise a link for the host to read. */
async function read(host: Host, uri: string, mimeType: string): Promise<Record<string, unknown>> {
  const name = uri.replace(/^research:\/\/([^/]*)\//, "research-$1.");
  if (!host.can("serverResources")) return { type: "resource_link", uri, name, mimeType };
  return embedded(`file:///${name}`, mimeType, await readText(host, uri));
}

/** The text of one of the server's resources. */
export async function readText(host: Host, uri: string): Promise<string> {
  const result = await host.request("resources/read", { uri });
  const [first] = Array.isArray(result.contents) ? (result.contents as unknown[]) : [];
  if (!isFields(first) || typeof first.text !== "string") throw new Error("nothing to read");
  return first.text;
}

const embedded = (uri: string, mimeType: string, text: string): Record<string, unknown> => ({
  type: "resource", resource: { uri, mimeType, text },
});
