import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { symlinkSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { temporaryFolder } from "../service.ts";
import { root } from "../suites.ts";

/** Commits of this repository that stand for a release, with why each is kept. */
export const releases = {
  /** The last one before nodes became a cluster: one node's disk, nobody at its port for peers. */
  single: "6d109c7",
  /** The first whose nodes are a cluster: version 1 of the protocol between nodes, and of what lies in its znodes. */
  cluster: "72f845b",
} as const;

/** What a release runs from: without tests and benchmarks. */
const rooms = [
  ...["package.json", "kit", "api", "config", "coordinator", "storage", "cluster", "ingest"],
  ...["query", "alerts", "adapters", "services", "cli", "console"],
];

/** Why a release cannot be run here; false when it can. */
export function missing(commit: string): string | false {
  try {
    execFileSync("git", ["cat-file", "-e", `${commit}^{commit}`], { cwd: root, stdio: "ignore" });
    return false;
  } catch {
    return `the history of this checkout does not go back to ${commit}`;
  }
}

/** Lays a release out in a folder of its own, with the packages of this checkout; gives its command. */
export async function checkOut(commit: string): Promise<string> {
  const folder = temporaryFolder();
  const archive = spawn("git", ["archive", commit, ...rooms], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const unpacked = promisify(execFile)("tar", ["-x", "-C", folder]);
  archive.stdout.pipe(unpacked.child.stdin as NodeJS.WritableStream);
  const [[code]] = await Promise.all([once(archive, "exit"), unpacked]);
  if (code !== 0) throw new Error(`git archive ${commit} ended with ${String(code)}`);
  symlinkSync(path.join(root, "node_modules"), path.join(folder, "node_modules"));
  return path.join(folder, "services/bin/logkeep");
}
