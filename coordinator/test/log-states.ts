import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";

const calls = ["renameSync", "unlinkSync", "rmSync", "ftruncateSync", "fsyncSync"] as const;

/**
 * Runs what changes a directory and copies the directory before and after each call that does so: what a crash at that moment
 * leaves, as far as files are concerned. Returns the copies, oldest first.
 */
export async function statesDuring(
  from: string,
  copies: string,
  run: () => Promise<void>,
): Promise<readonly string[]> {
  const states: string[] = [];
  const copy = () => {
    const to = join(copies, String(states.length));
    fs.cpSync(from, to, { recursive: true });
    states.push(to);
  };
  const originals = calls.map((name) => fs[name]);
  for (const [index, name] of calls.entries()) {
    const original = originals[index] as (...args: readonly unknown[]) => void;
    Object.assign(fs, {
      [name]: (...args: readonly unknown[]) => {
        copy();
        original(...args);
      },
    });
  }
  syncBuiltinESMExports();
  try {
    await run();
  } finally {
    for (const [index, name] of calls.entries()) Object.assign(fs, { [name]: originals[index] });
    syncBuiltinESMExports();
  }
  copy();
  return states;
}
