import path from "node:path";

/** The file that a thread starts with: `.ts` in a checkout, `.js` in the published package. */
export function threadEntry(name: string): URL {
  return new URL(`./${name}${path.extname(import.meta.filename)}`, import.meta.url);
}
