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
