// Builds page.html: a single file with its script and style inlined, and their hashes in its content security policy.
// With --check it writes nothing and fails if page.html differs from what the sources build.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const MOST_BYTES = 150_000;

async function bundled(entry) {
  const result = await build({
    entryPoints: [here(entry)],
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    target: "es2022",
    charset: "ascii",
    legalComments: "none",
  });
  return result.outputFiles[0].text.trim();
}

const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

const script = (await bundled("src/main.ts")).replaceAll("</", "<\\/");
const style = await bundled("src/style.css");
const parts = { script, style, scriptHash: hash(script), styleHash: hash(style) };
const page = readFileSync(here("src/page.html"), "utf8").replace(/\{\{(\w+)\}\}/g, (_, name) => parts[name]);
const size = Buffer.byteLength(page);

if (size > MOST_BYTES) throw new Error(`page.html has ${size} bytes; at most ${MOST_BYTES} are allowed`);
if (process.argv.includes("--check")) {
  if (readFileSync(here("page.html"), "utf8") !== page) {
    console.error("page.html is out of date: run npm run build --prefix parallel_mcp/report/page");
    process.exit(1);
  }
} else {
  writeFileSync(here("page.html"), page);
}
console.log(`page.html: ${size} bytes`);
