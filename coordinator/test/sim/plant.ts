import assert from "node:assert/strict";
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";

import type { Core } from "./member.ts";

/** A change of the core's source that brings a known bug back. */
export interface Plant {
  /** Of the core, or with its path in the source folder. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const coreFolder = path.join(import.meta.dirname, "../../src/core");
const kitFolder = path.join(import.meta.dirname, "../../../kit/src");

/** A copy of the core with these changes, and what removes it. */
export async function corePlanted(
  plants: readonly Plant[],
): Promise<{ readonly core: Core; readonly remove: () => void }> {
  const folder = mkdtempSync(path.join(tmpdir(), "logkeep-core-"));
  cpSync(coreFolder, folder, { recursive: true });
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    for (const { file, from, to } of plants) replaceOnce(path.join(folder, file), from, to);
    const kit = pathToFileURL(kitFolder).href;
    for (const name of readdirSync(folder)) {
      const file = path.join(folder, name);
      const text = readFileSync(file, "utf8");
      writeFileSync(
        file,
        text.replace('"../../../kit/src', () => `"${kit}`),
      );
    }
    const core = (await import(pathToFileURL(path.join(folder, "peer.ts")).href)) as Core;
    return { core, remove };
  } catch (thrown) {
    remove();
    throw thrown;
  }
}

function replaceOnce(file: string, from: string, to: string): void {
  const text = readFileSync(file, "utf8");
  assert.equal(text.split(from).length, 2, `not once in ${file}: ${from}`);
  writeFileSync(
    file,
    text.replace(from, () => to),
  );
}

/** A copy of the coordinator's whole source with these changes, and what removes it. */
export function sourcePlanted(plants: readonly Plant[]): {
  readonly load: <M>(file: string) => Promise<M>;
  readonly remove: () => void;
} {
  const folder = mkdtempSync(path.join(tmpdir(), "logkeep-source-"));
  const source = path.join(folder, "coordinator/src");
  cpSync(path.join(coreFolder, ".."), source, { recursive: true });
  symlinkSync(path.join(kitFolder, ".."), path.join(folder, "kit"));
  for (const { file, from, to } of plants) replaceOnce(path.join(source, file), from, to);
  return {
    load: <M>(file: string) => import(pathToFileURL(path.join(source, file)).href) as Promise<M>,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
