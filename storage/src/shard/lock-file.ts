import { randomBytes } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ServiceError } from "../../../kit/src/errors.ts";

/** Who holds a lock: a process, told apart from a later one with the same number. */
interface Holder {
  readonly pid: number;
  /** Start time in clock ticks since boot, and the boot; empty where there is no `/proc`. */
  readonly started: string;
  readonly boot: string;
}

const lockName = "lock";

/**
 * Takes the lock of a directory for this process; returns how to let go. A lock whose process is
 * gone, however it went, is taken over. Throws `storage.locked`, which names the holder's pid.
 */
export function lockDirectory(directory: string): () => void {
  const path = join(directory, lockName);
  const mine = `${JSON.stringify(holderOf(process.pid))}\n`;
  const draft = join(directory, `${lockName}.${process.pid}.${randomBytes(4).toString("hex")}`);
  try {
    writeFileSync(draft, mine, { flag: "wx" });
    // Linking makes the lock appear with its content, or not at all.
    while (!tryLink(draft, path)) takeStale(path, directory);
  } finally {
    rmSync(draft, { force: true });
  }
  return () => {
    if (readIfThere(path) === mine) unlinkSync(path);
  };
}

/** The process that holds the lock of a directory and lives; undefined: none does. */
export function lockHolder(directory: string): number | undefined {
  const text = readIfThere(join(directory, lockName));
  const holder = text === undefined ? undefined : parseHolder(text);
  return holder !== undefined && isAlive(holder) ? holder.pid : undefined;
}

function tryLink(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw thrown;
  }
}

/** Removes the lock of a process that is gone; throws for one that lives. */
function takeStale(path: string, directory: string): void {
  const found = readIfThere(path);
  if (found === undefined) return;
  refuseIfAlive(found, directory);
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (thrown) {
    // Another process found it stale too, and was faster.
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return;
    throw thrown;
  }
  const taken = readIfThere(aside);
  // Between reading and renaming, another may have locked anew: its lock goes back.
  if (taken !== found) tryLink(aside, path);
  unlinkSync(aside);
  if (taken !== undefined && taken !== found) refuseIfAlive(taken, directory);
}

function refuseIfAlive(text: string, directory: string): void {
  const holder = parseHolder(text);
  if (holder === undefined || !isAlive(holder)) return;
  throw new ServiceError("storage.locked", "another process uses this data directory", {
    directory,
    pid: holder.pid,
  });
}

function isAlive(holder: Holder): boolean {
  const now = holderOf(holder.pid);
  if (holder.started !== "" || now.started !== "") {
    return now.started === holder.started && now.boot === holder.boot;
  }
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === "EPERM";
  }
}

function holderOf(pid: number): Holder {
  const stat = readIfThere(`/proc/${pid}/stat`) ?? "";
  // The name in brackets may hold anything; of the fields behind it, the start time is the 20th.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const boot = (readIfThere("/proc/sys/kernel/random/boot_id") ?? "").trim();
  // A zombie holds nothing any more.
  return { pid, started: fields[0] === "Z" ? "" : (fields[19] ?? ""), boot };
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, started, boot } = JSON.parse(text) as Holder;
    return Number.isSafeInteger(pid) && pid > 0 ? { pid, started, boot } : undefined;
  } catch {
    return undefined;
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (thrown) {
    if (["ENOENT", "ESRCH"].includes((thrown as NodeJS.ErrnoException).code ?? ""))
      return undefined;
    throw thrown;
  }
}
