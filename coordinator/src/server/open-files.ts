import { readFileSync } from "node:fs";

import { connectionsMax, filesReserved } from "./limits.ts";

/**
 * Client connections in all that this process may have: so many that logs, snapshots and members find a file descriptor still,
 * since a member whose log cannot be opened ends. `limits`: the text of Linux's `/proc/<pid>/limits`.
 */
export function connectionsAllowed(limits: string): number {
  const files = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  const left = Math.max(Math.floor(files / 2), files - filesReserved);
  return Math.min(connectionsMax, left);
}

/** This process's own limits; "" where the system does not tell. */
export function limitsRead(): string {
  try {
    return readFileSync("/proc/self/limits", "utf8");
  } catch {
    return "";
  }
}
