import { globSync } from "node:fs";
import path from "node:path";

/** The root of the checkout. */
export const root: string = path.resolve(import.meta.dirname, "..");

export interface Suite {
  readonly name: string;
  readonly files: readonly string[];
}

/** Every room's tests, rooms from the ground up, then those of the whole house. */
export function suites(): Suite[] {
  const rooms = ["kit", "api", "config", "coordinator", "storage", "query", "ingest", "alerts"];
  const upper = ["cli", "cluster", "adapters", "services", "console", "bench"];
  const found = [...rooms, ...upper].map((room) => suiteOf(room, `${room}/test/**/*.test.ts`));
  const house = [
    "tidy",
    "scenarios",
    "contracts",
    "engines",
    "faults",
    "clients",
    "browser",
    "package",
    "helm",
    "kafka",
    "alerts",
    "elastic",
  ];
  found.push(suiteOf("house", "test/*.test.ts"));
  for (const part of house) found.push(suiteOf(part, `test/${part}/**/*.test.ts`));
  return found.filter(({ files }) => files.length > 0);
}

function suiteOf(name: string, pattern: string): Suite {
  return { name, files: globSync(pattern, { cwd: root }).sort() };
}
