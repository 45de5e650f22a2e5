import { globSync } from "node:fs";
import path from "node:path";

/** The root of the checkout. */
export const root: string = path.resolve(import.meta.dirname, "..");

export interface Suite {
  readonly name: string;
  readonly files: readonly string[];
  /** How much of the machine a file of it takes. */
  readonly share: number;
  /** Variables that its tests are given besides. */
  readonly env: Readonly<Record<string, string>>;
  /** What it needs that `npm test` does not give: it runs when it is named, not with all others. */
  readonly needs: string | undefined;
}

const rooms = [
  ...["kit", "api", "config", "coordinator", "storage", "query", "ingest", "alerts", "cli"],
  ...["cluster", "adapters", "services", "console", "bench"],
];

/** Tests of the whole house, each a folder of `test/`. */
const house = [
  // Of these one runs at a time: they begin before what runs beside anything.
  ...["browser", "package", "helm"],
  ...["tidy", "scenarios", "contracts", "data", "alerts", "faults", "ensemble"],
  ...["cluster", "cluster-faults"],
  ...["clients", "helm-cluster", "helm-growth"],
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
  "helm-cluster": "half a minute, helm, and root",
  "helm-growth": "a minute, helm, and root",
  redis: "redis-server",
  mixed: "Apache ZooKeeper",
  "coordinator-client": "Apache ZooKeeper",
  kafka: "a Kafka broker",
  elastic: "Elasticsearch",
  engines: "a Kafka broker, Elasticsearch and redis-server",
};

/** Of a room many files wait, for timeouts and disks; a file of the house has whole services, which want the machine. */
const shares = { room: 1, house: 2, built: 3 };

/** These serve what is built in `dist`, or build it anew: of shares above half of the machine no two run side by side. */
const built = ["browser", "package", "helm", "helm-cluster", "helm-growth"];

/** Shares that run side by side: one file of the house beside two or three of rooms while there are both, then two. */
export const machine = 5;

/** What draws, of which a room's own suite runs a few seeds: this one runs as many as a change has to pass. */
const simulations = ["core-sim", "core-sim-crash", "core-reconfig", "log-damage"].map(
  (name) => `coordinator/test/${name}`,
);

/** What shows that simulations bite needs to be shown only where they are run in full. */
const planted = [
  "coordinator/test/core-sim-faults",
  "coordinator/test/core-reconfig-faults",
  "storage/test/replication-sim-faults",
];

/** Every room's tests, rooms from the ground up, then those of the whole house. */
export function suites(): Suite[] {
  const found = [
    ...rooms.map((room) => roomSuite(room)),
    suiteOf("house", "test/*.test.ts"),
    ...house.map(houseSuite),
    suiteOf("simulations", `{${[...simulations, ...planted].join()}}.test.ts`, {
      needs: "two minutes",
      env: { LOGKEEP_SIMULATIONS: "whole" },
    }),
  ];
  return found.filter(({ files }) => files.length > 0);
}

function houseSuite(part: string): Suite {
  const name = rooms.includes(part) ? `${part}-house` : part;
  const share = built.includes(part) ? shares.built : shares.house;
  return suiteOf(name, `test/${part}/**/*.test.ts`, { share, needs: named[part] });
}

function roomSuite(room: string): Suite {
  const share = shares.room;
  return suiteOf(room, `${room}/test/**/*.test.ts`, { share, except: planted });
}

function suiteOf(
  name: string,
  pattern: string,
  {
    needs,
    share = shares.house,
    env = {},
    except = [],
  }: {
    readonly needs?: string | undefined;
    readonly share?: number;
    readonly env?: Suite["env"];
    readonly except?: readonly string[];
  } = {},
): Suite {
  const exclude = except.map((file) => `${file}.test.ts`);
  const files = globSync(pattern, { cwd: root }).filter((file) => !exclude.includes(file));
  return { name, files: files.sort(), share, needs, env };
}
