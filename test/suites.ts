import { globSync } from "node:fs";
import path from "node:path";

/** The root of the checkout. */
export const root: string = path.resolve(import.meta.dirname, "..");

export interface Suite {
  readonly name: string;
  readonly files: readonly string[];
  /** What it needs that npm does not bring: it runs when it is named, not with all others. */
  readonly needs: string | undefined;
}

const rooms = [
  ...["kit", "api", "config", "coordinator", "storage", "query", "ingest", "alerts", "cli"],
  ...["cluster", "adapters", "services", "console", "bench"],
];

/** Tests of the whole house, each a folder of `test/`. */
const house = [
  ...["tidy", "scenarios", "contracts", "alerts", "faults", "ensemble"],
  ...["clients", "browser", "package", "helm"],
];

/** Those that need other servers. */
const foreign: Readonly<Record<string, string>> = {
  redis: "redis-server",
  mixed: "Apache ZooKeeper",
  "coordinator-client": "Apache ZooKeeper",
  kafka: "a Kafka broker",
  elastic: "Elasticsearch",
  engines: "a Kafka broker, Elasticsearch and redis-server",
};

/** Every room's tests, rooms from the ground up, then those of the whole house. */
export function suites(): Suite[] {
  const found = [
    ...rooms.map((room) => suiteOf(room, `${room}/test/**/*.test.ts`)),
    suiteOf("house", "test/*.test.ts"),
    ...house.map((part) => suiteOf(rooms.includes(part) ? `${part}-house` : part, filesOf(part))),
    ...Object.entries(foreign).map(([part, needs]) => suiteOf(part, filesOf(part), needs)),
  ];
  return found.filter(({ files }) => files.length > 0);
}

function filesOf(part: string): string {
  return `test/${part}/**/*.test.ts`;
}

function suiteOf(name: string, pattern: string, needs?: string): Suite {
  return { name, files: globSync(pattern, { cwd: root }).sort(), needs };
}
