import type { Prng } from "../../kit/src/prng.ts";

/** The fields of a record. */
export type Emit = Readonly<Record<string, string | number>>;

export interface Service {
  readonly name: string;
  readonly hosts: readonly string[];
  /** Of all records, relative to the other services. */
  readonly share: number;
  record(): Emit;
}

/** What the services of one fleet have in common. */
interface Fleet {
  readonly random: Prng;
  readonly clients: readonly string[];
  /** Traces that are under way: records of several services share an id. */
  readonly trace: () => string;
}

/** The services of a made-up fleet; their records are drawn from `random`. */
export function fleetOf(random: Prng): readonly Service[] {
  const clients = Array.from({ length: 20_000 }, () =>
    [1 + random.below(222), random.below(256), random.below(256), 1 + random.below(254)].join("."),
  );
  const traces = Array.from({ length: 64 }, () => hex(random, 32));
  const trace = (): string => {
    const slot = random.below(traces.length);
    if (random.chance(0.3)) traces[slot] = hex(random, 32);
    return traces[slot] as string;
  };
  const fleet: Fleet = { random, clients, trace };
  return [
    { name: "web", hosts: hosts("web", 24), share: 40, record: () => webRecord(fleet) },
    { name: "api", hosts: hosts("api", 16), share: 25, record: () => apiRecord(fleet) },
    { name: "kv", hosts: hosts("kv", 9), share: 20, record: () => storeRecord(fleet) },
    { name: "worker", hosts: hosts("worker", 8), share: 8, record: () => workerRecord(fleet) },
    { name: "auth", hosts: hosts("auth", 4), share: 5, record: () => authRecord(fleet) },
    { name: "cron", hosts: hosts("cron", 1), share: 2, record: () => cronRecord(fleet) },
  ];
}

const paths = [
  "/",
  "/login",
  "/cart",
  "/search",
  "/static/app.js",
  "/static/app.css",
  "/favicon.ico",
];
const agents = [
  "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
  "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15",
  "curl/8.9.1",
  "kube-probe/1.30",
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/127.0 Safari/537.36",
];

function webRecord({ random, clients, trace }: Fleet): Emit {
  const method = random.chance(0.85) ? "GET" : "POST";
  const path = random.chance(0.5) ? random.pick(paths) : `/items/${skewed(random, 3_000)}`;
  const status = random.pick([200, 200, 200, 200, 200, 200, 204, 301, 304, 404, 404, 500, 503]);
  const bytes = status === 304 ? 0 : 200 + skewed(random, 90_000);
  const client = clients[skewed(random, clients.length)] as string;
  const agent = random.pick(agents);
  return {
    level: status >= 500 ? "error" : "info",
    method,
    path,
    status,
    bytes,
    client_ip: client,
    trace_id: trace(),
    _msg: `${client} - - "${method} ${path} HTTP/1.1" ${status} ${bytes} "-" "${agent}"`,
  };
}

function apiRecord({ random, trace }: Fleet): Emit {
  const common = {
    component: random.pick(["orders", "stock", "prices", "mail"]),
    pid: 900 + random.below(40),
  };
  const took = skewed(random, 2_000);
  const user = random.below(50_000);
  const kind = random.below(100);
  if (kind < 70) {
    return {
      level: "info",
      ...common,
      trace_id: trace(),
      duration_ms: took,
      _msg: `request finished user=${user} order=${hex(random, 12)} items=${1 + random.below(9)} in ${took} ms`,
    };
  }
  if (kind < 88) {
    const pool = random.below(8);
    return {
      level: "debug",
      ...common,
      _msg: `took connection ${pool} of pool stock-db, ${20 - pool} idle`,
    };
  }
  if (kind < 95) {
    return {
      level: "warn",
      ...common,
      trace_id: trace(),
      _msg: `slow query took ${took + 500} ms: SELECT * FROM orders WHERE user_id = ${user} LIMIT 50`,
    };
  }
  const why = random.pick(["connection refused", "timeout after 3000 ms", "broken pipe"]);
  return {
    level: "error",
    ...common,
    trace_id: trace(),
    _msg: `error calling http://kv-${1 + random.below(9)}.internal:7400/v1/get user=${user} failed: ${why}`,
  };
}

function storeRecord({ random }: Fleet): Emit {
  const partition = random.below(64);
  const kind = random.below(100);
  const common = { partition, thread: `io-${random.below(8)}` };
  if (kind < 60) {
    const sequence = random.below(1e9);
    return {
      level: "info",
      ...common,
      _msg: `flushed memtable of partition ${partition}: ${random.below(60_000)} keys, ${random.below(64e6)} bytes, sequence ${sequence}`,
    };
  }
  if (kind < 92) {
    return {
      level: "info",
      ...common,
      _msg: `Received block blk_${random.below(1e9)}${random.below(1e9)} of size ${random.below(67_108_864)} from /10.0.${random.below(8)}.${1 + random.below(250)}:50010`,
    };
  }
  return {
    level: "warn",
    ...common,
    _msg: `replica 10.0.${random.below(8)}.${1 + random.below(250)} of partition ${partition} is ${random.below(90_000)} ms behind`,
  };
}

function workerRecord({ random, trace }: Fleet): Emit {
  const queue = random.pick(["mail", "invoices", "thumbnails", "exports"]);
  const isDone = random.chance(0.9);
  const attempt = 1 + random.below(3);
  return {
    level: isDone ? "info" : "error",
    queue,
    attempt,
    trace_id: trace(),
    _msg: isDone
      ? `job ${hex(random, 16)} of ${queue} done in ${skewed(random, 60_000)} ms`
      : `job ${hex(random, 16)} of ${queue} failed with error: TimeoutError: no answer in 30 s (attempt ${attempt} of 3)`,
  };
}

function authRecord({ random, clients }: Fleet): Emit {
  const client = clients[skewed(random, clients.length)] as string;
  const user = random.pick(["root", "admin", "deploy", `u${random.below(50_000)}`]);
  const isAccepted = random.chance(0.4);
  return {
    level: isAccepted ? "info" : "warn",
    client_ip: client,
    user,
    pid: 1_000 + random.below(31_000),
    _msg: `${isAccepted ? "Accepted publickey" : "Failed password"} for ${user} from ${client} port ${1_024 + random.below(64_000)} ssh2`,
  };
}

function cronRecord({ random }: Fleet): Emit {
  return {
    level: "info",
    job: random.pick(["backup", "rotate", "report"]),
    _msg: `(root) CMD (/usr/local/bin/run --job ${random.below(12)} --once)`,
  };
}

function hosts(service: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${service}-${String(i + 1).padStart(2, "0")}`);
}

/** A whole number in [0, n), small ones far more often: few things are asked for most of the time. */
function skewed(random: Prng, n: number): number {
  return Math.floor(random.unit() ** 3 * n);
}

function hex(random: Prng, length: number): string {
  let text = "";
  while (text.length < length) text += random.u32().toString(16).padStart(8, "0");
  return text.slice(0, length);
}
