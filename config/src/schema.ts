import { z } from "zod";
import { tenantSchema } from "../../api/src/key.ts";
import { addressProblem } from "./address.ts";
import { ensembleProblem } from "./ensemble.ts";
import { sourceSchema } from "./source-schema.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;
const minute = 60_000;

/** How a text (from a variable or a flag) becomes a value of the setting. */
export type SettingKind =
  | "text"
  | "address"
  | "addresses"
  | "choice"
  | "choices"
  | "words"
  | "boolean"
  | "number"
  | "integer"
  | "bytes"
  | "duration"
  | "list";

const http = z.strictObject({
  listen: address("127.0.0.1:7070", "Where HTTP is served; port 0 picks a free one."),
  bodyMaxBytes: bytes(64 * MiB, { min: 64 * KiB, max: 2 * GiB }).describe(
    "A request body, as it arrives (before it is inflated); a larger one gets 413.",
  ),
  inFlightMaxBytes: bytes(128 * MiB, { min: MiB, max: 64 * GiB }).describe(
    "Bodies of all requests under way together; beyond it requests get 429 before they are read.",
  ),
  requestTimeoutMs: duration(minute, { min: 1000, max: 60 * minute }).describe(
    "Time in which a request must have arrived whole.",
  ),
  headersTimeoutMs: duration(10_000, { min: 500, max: 10 * minute }).describe(
    "Time in which the headers of a request must have arrived.",
  ),
  connectionsMax: integer(4096, { min: 16, max: 1_000_000 }).describe(
    "Open HTTP connections; further ones are closed at once.",
  ),
  publicUrl: z
    .url({ protocol: /^https?$/, error: "must be a URL as https://logs.example.com" })
    .optional()
    .meta({
      kind: "text",
      description:
        "Where people reach the console, for links in notifications; by default the listener.",
    }),
});

const coordinator = z.strictObject({
  listen: address("127.0.0.1:2181", "Where ZooKeeper clients are served; port 0 picks a free one."),
  connect: z.array(z.string().check(isAddress)).min(1).max(64).optional().meta({
    kind: "addresses",
    description: "The servers of an ensemble to use instead of the embedded coordinator.",
  }),
  connectTls: z.enum(["none", "secret", "certificates"]).default("none").meta({
    kind: "choice",
    description:
      "TLS with those servers: secret for nodes of Logkeep, which share cluster.secretFile; certificates for ZooKeeper's secureClientPort, with the files of peer.tls….",
  }),
  ensemble: z
    .array(z.string())
    .min(1)
    .check((input) => {
      const problem = ensembleProblem(input.value);
      if (problem === undefined) return;
      input.issues.push({ code: "custom", message: problem, input: input.value });
    })
    .optional()
    .meta({
      kind: "words",
      description:
        "The members of our own ensemble, 1, 3 or 5, each as N=HOST:PEERPORT:ELECTIONPORT with N its node.id; the same on all of them. With :observer behind it a member has no vote.",
    }),
  tickTimeMs: duration(500, { min: 50, max: minute }).describe(
    "The coordinator's unit of time; clients get session timeouts of 2 to 20 ticks.",
  ),
  sessionTimeoutMs: duration(6000, { min: 500, max: 10 * minute }).describe(
    "Session timeout of our own nodes: how soon the shards of a dead node move.",
  ),
  snapCount: integer(100_000, { min: 2, max: 100_000_000 }).describe(
    "Transactions between two snapshots of the tree.",
  ),
  snapRetainCount: integer(3, { min: 3, max: 1000 }).describe(
    "Snapshots that are kept, with the transaction logs they need.",
  ),
  connectionsPerAddress: integer(1000, { min: 0, max: 1_000_000 }).describe(
    "Open client connections from one address (Apache's maxClientCnxns); 0: any number.",
  ),
  superDigest: z
    .string()
    .regex(/^[^:]+:[A-Za-z0-9+/]{27}=$/, "must be user:base64(sha1(user:password))")
    .optional()
    .meta({
      kind: "text",
      secret: true,
      description:
        "The user to whom no ACL applies, as user:base64(sha1(user:password)) (Apache's superDigest).",
    }),
});

const peer = z.strictObject({
  listen: address("127.0.0.1:7071", "Where other nodes of the cluster reach this one."),
  tlsCaFile: pemFile(
    "The authority that signs the nodes' certificates and nobody else's (PEM). With peer.tlsCertFile and peer.tlsKeyFile nodes use certificates beyond this machine, where keys drawn from the secret are the default.",
  ),
  tlsCertFile: pemFile("This node's certificate, those up to the authority behind it (PEM)."),
  tlsKeyFile: pemFile("Its private key (PEM). All three are read again when they change."),
});

const node = z.strictObject({
  id: integer(1, { min: 1, max: 255 }).describe("Which member of the cluster this node is."),
  host: z.string().min(1).max(253).optional().meta({
    kind: "text",
    description:
      "The name or address by which other nodes reach this one; by default that of each listener or, for one on every interface, the machine's name.",
  }),
  zone: z.string().max(64).default("").meta({
    kind: "text",
    description: "What may fail as a whole with this node in it; copies of a shard go to several.",
  }),
  capacityBytes: optionalBytes({ min: MiB, max: Number.MAX_SAFE_INTEGER }).describe(
    "How much of the cluster this node takes, beside the others; by default the size of its disk.",
  ),
});

const cluster = z.strictObject({
  join: z.array(z.string().check(isAddress)).min(1).max(64).optional().meta({
    kind: "addresses",
    description: "Nodes of a running cluster to join, by their listeners for other nodes.",
  }),
  secretFile: z.string().min(1).optional().meta({
    kind: "text",
    description:
      "A file with the secret that all nodes of the cluster share (or the variable LOGKEEP_CLUSTER_SECRET); by default one that the first start makes in the data directory.",
  }),
  replication: integer(2, { min: 1, max: 5 }).describe(
    "Nodes that each record is kept on, as long as there are so many. To be set for the whole cluster.",
  ),
  graceMs: duration(minute, { min: 0, max: 24 * 60 * minute }).describe(
    "How long a node may be away before its copies are made anew elsewhere, so that a restart moves nothing.",
  ),
});

const data = z.strictObject({
  dir: z
    .string()
    .min(1)
    .default("./data")
    .meta({ kind: "text", description: "The data directory; one process holds it at a time." }),
});

const retention = z.strictObject({
  days: z.number().gt(0).max(36_500).default(7).meta({
    kind: "number",
    description: "Days after which records are dropped, by whole segments.",
  }),
  rules: z
    .array(
      z.strictObject({
        /** Every tenant when it is left out. */
        tenant: tenantSchema.optional(),
        /** Of the query language; it may ask for a record's stream and fields. */
        filter: z.string().min(1).max(8192),
        days: z.number().min(0.00001).max(36_500),
      }),
    )
    .max(64)
    .default([])
    .meta({
      kind: "list",
      description:
        "Records that are kept for longer or shorter, as {tenant, filter, days}; the first whose filter matches a record when it comes decides.",
    }),
  diskShare: z.number().gt(0).max(0.99).default(0.8).meta({
    kind: "number",
    description:
      "Share of the data disk that may be in use before the oldest segments are dropped.",
  }),
  maxBytes: optionalBytes({ min: 64 * MiB, max: Number.MAX_SAFE_INTEGER }).describe(
    "Bytes of segments beyond which the oldest are dropped.",
  ),
});

const storage = z.strictObject({
  diskMaxBytes: optionalBytes({ min: 128 * MiB, max: Number.MAX_SAFE_INTEGER }).describe(
    "Disk for records (segments, commit log, trash), by default as much as there is; from 95 % of it on shippers get 503 until there is room.",
  ),
  shards: z.int().min(1).max(4096).optional().meta({
    kind: "integer",
    description:
      "Shards of the cluster, by default 4 for each member of coordinator.ensemble, else 4; fixed by the first start and ignored after it.",
  }),
  arenaBytes: bytes(96 * MiB, { min: 32 * MiB, max: 16 * GiB }).describe(
    "Memory for records that are not in a segment yet.",
  ),
  sealAgeMs: duration(5 * minute, { min: 1000, max: 24 * 60 * minute }).describe(
    "Age at which records go from memory into a segment file, if size has not sent them before.",
  ),
  logMaxBytes: bytes(2 * GiB, { min: 64 * MiB, max: 1024 * GiB }).describe(
    "The commit log of the disk; at half of it shards are asked to seal, beyond it appends get 503.",
  ),
  slowSyncMs: duration(2000, { min: 0, max: 10 * minute }).describe(
    "A sync of the commit log is slow beyond this; a node whose syncs are slow many times, or whose disk is full, hands its shards to others in sync, and of three copies its own is not waited for. 0 leaves all as it is.",
  ),
  scrubMs: duration(7 * 24 * 60 * minute, { min: 0, max: 90 * 24 * 60 * minute }).describe(
    "Time in which every segment file, also copies of other nodes' shards, is read once and compared with its checksums, at most 8 MiB a second; what is damaged is repaired from another node. 0 reads none.",
  ),
  retention: retention.prefault({}),
  workers: z.int().min(1).max(256).optional().meta({
    kind: "integer",
    description: "Threads for parsing, compression and queries; by default the cores less one.",
  }),
});

const query = z.strictObject({
  timeoutMs: duration(30_000, { min: 100, max: 24 * 60 * minute }).describe(
    "Deadline of a query; a request may ask for less, never for more.",
  ),
  memoryMaxBytes: bytes(256 * MiB, { min: 4 * MiB, max: 256 * GiB }).describe(
    "Memory of one query for its groups, sorts and sets; beyond it the query fails.",
  ),
  concurrencyMax: integer(8, { min: 1, max: 1024 }).describe(
    "Queries that run at once; further ones wait, then get 429.",
  ),
  cacheBytes: bytes(64 * MiB, { min: 0, max: 256 * GiB }).describe(
    "Memory for blocks of segments that were read lately.",
  ),
  index: z.enum(["embedded", "elasticsearch"]).default("embedded").meta({
    kind: "choice",
    description:
      "What answers queries: our own segments, or the mirror in Elasticsearch, which has records once they are sealed.",
  }),
});

const ingest = z.strictObject({
  recordMaxBytes: bytes(MiB, { min: KiB, max: MiB }).describe(
    "One record; a longer one is rejected, its neighbours are kept.",
  ),
  fieldsMax: integer(1000, { min: 8, max: 1000 }).describe(
    "Fields of one record; further ones are kept together in the field _overflow.",
  ),
  rejectedMaxBytes: bytes(16 * KiB, { min: 256, max: MiB }).describe(
    "How much of a rejected record is kept in the stream _rejected.",
  ),
  inflatedMaxBytes: bytes(64 * MiB, { min: MiB, max: GiB }).describe(
    "A request body after it is inflated; a larger one gets 413.",
  ),
});

const tail = z.strictObject({
  connectionsMax: integer(64, { min: 1, max: 10_000 }).describe("Live tails open at once."),
  bufferMaxBytes: bytes(4 * MiB, { min: 64 * KiB, max: GiB }).describe(
    "Records waiting for one slow reader; beyond it records are dropped, and the reader is told how many.",
  ),
  heartbeatMs: duration(15_000, { min: 1000, max: 10 * minute }).describe(
    "Silence after which a comment is sent, so that proxies keep the connection.",
  ),
});

const auth = z.strictObject({
  insecureListen: z.boolean().default(false).meta({
    kind: "boolean",
    description: "Allows listening beyond loopback without credentials; warns each minute.",
  }),
  adminKeyFile: z.string().min(1).optional().meta({
    kind: "text",
    description:
      "A file with a key that may do everything, of the form that `keys create` prints; read at the start, for where nobody makes the first key by hand.",
  }),
});

const alerts = z.strictObject({
  redis: z
    .string()
    .regex(/^rediss?:\/\/.+/, "must be a URL as redis://127.0.0.1:6379")
    .optional()
    .meta({
      kind: "text",
      secret: true,
      description:
        "A Redis server that schedules evaluations and deliveries (BullMQ); without it they are scheduled in process.",
    }),
  linesMax: integer(10, { min: 0, max: 100 }).describe(
    "Matching records that a notification carries at most.",
  ),
  rulesMax: integer(1000, { min: 1, max: 10_000 }).describe("Rules of one tenant."),
  deliveryTimeoutMs: duration(10_000, { min: 100, max: 5 * minute }).describe(
    "Time in which a receiver of notifications must have answered.",
  ),
  deliveryRetryMs: duration(24 * 60 * minute, { min: 1000, max: 7 * 24 * 60 * minute }).describe(
    "How long a notification that could not be delivered is tried again.",
  ),
  privateWebhooks: z.enum(["auto", "allow", "deny"]).default("auto").meta({
    kind: "choice",
    description:
      "Whether webhooks may go to loopback and private addresses; auto: only while the service itself listens on loopback. Link-local ones are never called.",
  }),
});

const elasticsearch = z.strictObject({
  nodes: z
    .array(z.url({ protocol: /^https?$/, error: "must be URLs as http://127.0.0.1:9200" }))
    .min(1)
    .max(64)
    .optional()
    .meta({
      kind: "words",
      description:
        "URLs of an Elasticsearch cluster (8 or 9) into which sealed records are mirrored; without it nothing is.",
    }),
  username: z
    .string()
    .min(1)
    .optional()
    .meta({ kind: "text", description: "For basic authentication." }),
  password: z
    .string()
    .optional()
    .meta({ kind: "text", secret: true, description: "Its password." }),
  apiKey: z.string().min(1).optional().meta({
    kind: "text",
    secret: true,
    description: "An API key of Elasticsearch (base64), in place of user and password.",
  }),
  indexPrefix: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_.-]{0,63}$/, "must be lower-case letters, digits, _ . -")
    .default("logkeep")
    .meta({
      kind: "text",
      description: "How the names of indices begin: PREFIX-TENANT-YYYY.MM.DD.",
    }),
  bulkMaxBytes: bytes(5 * MiB, { min: 64 * KiB, max: 64 * MiB }).describe("One _bulk request."),
  timeoutMs: duration(30_000, { min: 500, max: 10 * minute }).describe(
    "Time in which Elasticsearch must have answered.",
  ),
});

const log = z.strictObject({
  level: z.enum(["debug", "info", "warn", "error"]).default("info").meta({
    kind: "choice",
    description: "The least severe of Logkeep's own events that are written.",
  }),
  pretty: z.enum(["auto", "always", "never"]).default("auto").meta({
    kind: "choice",
    description: "Own logs for people instead of as JSON; auto means on a terminal.",
  }),
});

/** Every setting there is. The file, the variables, the flags and the reference page come from it. */
export const settingsSchema = z.strictObject({
  http: http.prefault({}),
  coordinator: coordinator.prefault({}),
  peer: peer.prefault({}),
  node: node.prefault({}),
  cluster: cluster.prefault({}),
  roles: z
    .array(z.enum(["coordinator", "ingest", "query", "alerts"]))
    .min(1)
    .default(["coordinator", "ingest", "query", "alerts"])
    .meta({ kind: "choices", description: "What this node does; ingest holds shards." }),
  data: data.prefault({}),
  storage: storage.prefault({}),
  query: query.prefault({}),
  ingest: ingest.prefault({}),
  tail: tail.prefault({}),
  alerts: alerts.prefault({}),
  sources: z
    .array(sourceSchema)
    .max(64)
    .refine((list) => new Set(list.map(({ name }) => name)).size === list.length, {
      error: "two sources have one name",
    })
    .default([])
    .meta({
      kind: "list",
      secret: true,
      description: "Kafka topics whose messages are stored; see docs/kafka.md.",
    }),
  elasticsearch: elasticsearch.prefault({}),
  auth: auth.prefault({}),
  log: log.prefault({}),
});

/** The settings a process runs with; deeply frozen where `loadSettings` made them. */
export type Settings = z.output<typeof settingsSchema>;

function pemFile(description: string) {
  return z.string().min(1).optional().meta({ kind: "text", description });
}

interface Bounds {
  readonly min: number;
  readonly max: number;
}

function address(preset: string, description: string) {
  return z.string().check(isAddress).default(preset).meta({ kind: "address", description });
}

function isAddress(input: z.core.ParsePayload<string>): void {
  const problem = addressProblem(input.value);
  if (problem !== undefined)
    input.issues.push({ code: "custom", message: problem, input: input.value });
}

function integer(preset: number, { min, max }: Bounds) {
  return z.int().min(min).max(max).default(preset).meta({ kind: "integer" });
}

function bytes(preset: number, { min, max }: Bounds) {
  return z.int().min(min).max(max).default(preset).meta({ kind: "bytes" });
}

function optionalBytes({ min, max }: Bounds) {
  return z.int().min(min).max(max).optional().meta({ kind: "bytes" });
}

function duration(preset: number, { min, max }: Bounds) {
  return z.int().min(min).max(max).default(preset).meta({ kind: "duration" });
}
