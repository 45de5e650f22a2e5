import { globSync } from "node:fs";
import path from "node:path";

/** The root of the checkout. */
export const root: string = path.resolve(import.meta.dirname, "..");

export interface Suite {
  readonly name: string;
  readonly files: readonly string[];
  /** What it needs that `npm test` does not give: it runs when it is named, not with all others. */
  readonly needs: string | undefined;
}

const rooms = [
  ...["kit", "api", "config", "coordinator", "storage", "query", "ingest", "alerts", "cli"],
  ...["cluster", "adapters", "services", "console", "bench"],
];

/** Tests of the whole house, each a folder of `test/`. */
const house = [
  ...["tidy", "scenarios", "contracts", "data", "alerts", "faults", "ensemble"],
  ...["cluster", "cluster-faults"],
  ...["clients", "browser", "package", "helm"],
  ...["redis", "mixed", "coordinator-client", "kafka", "elastic", "engines"],
];

/** Those that need other servers, or more than the five minutes that all others take together. */
const named: Readonly<Record<string, string>> = {
  data: "a minute",
  alerts: "two minutes",
  faults: "two minutes",
  ensemble: "three minutes, and root for partitions",
  cluster: "three minutes",
  "cluster-faults": "ten minutes, and root for partitions",
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
    ...house.map(houseSuite),
  ];
  return found.filter(({ files }) => files.length > 0);
}

function houseSuite(part: string): Suite {
  const name = rooms.includes(part) ? `${part}-house` : part;
  return suiteOf(name, `test/${part}/**/*.test.ts`, named[part]);
}

function suiteOf(name: string, pattern: string, needs?: string): Suite {
  return { name, files: globSync(pattern, { cwd: root }).sort(), needs };
}
