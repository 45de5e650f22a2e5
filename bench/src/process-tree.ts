import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";

/** Clock ticks a second of `/proc`: 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** CPU of a process and all its descendants since they started. */
export function processTree(pid: number): { readonly cpuSeconds: number } {
  let ticks = 0;
  const visit = (each: number): void => {
    const stat = readFileSync(`/proc/${each}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11]) + Number(fields[12]);
    const children = readFileSync(`/proc/${each}/task/${each}/children`, "utf8").trim();
    for (const child of children.split(" ")) if (child !== "") visit(Number(child));
  };
  visit(pid);
  return { cpuSeconds: ticks / ticksPerSecond };
}

/** CPU seconds of a process's threads since they started, by the name of their kind; of threads that have ended, nothing. */
export function threadSeconds(pid: number): ReadonlyMap<string, number> {
  const seconds = new Map<string, number>();
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${task}/stat`, "utf8");
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[11]) + Number(fields[12]);
    seconds.set(name, (seconds.get(name) ?? 0) + ticks / ticksPerSecond);
  }
  return seconds;
}

/** Bytes on disk of the files below a folder that are wanted. */
export function folderBytes(folder: string, isWanted: (file: string) => boolean): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && isWanted(entry.name)) {
      const file = path.join(entry.parentPath, entry.name);
      // A running service removes what it has merged.
      bytes += statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    }
  }
  return bytes;
}
