import type { Prng } from "../../kit/src/prng.ts";
import { type Trouble, troublesAt } from "./demo-traffic.ts";

/** A record as it is shipped: `_time`, `_msg`, service, host, level and whatever its service says. */
export type DemoRecord = Readonly<Record<string, string | number>>;

/** Services and how many hosts each has. */
const hostCounts = {
  gateway: 3,
  shop: 5,
  payments: 2,
  search: 3,
  mail: 2,
  database: 2,
  scheduler: 1,
  kubelet: 2,
} as const;
type ServiceName = keyof typeof hostCounts;

/** One story: what a request, a job or the cluster leaves behind, all of it of one trace. */
interface Story {
  readonly random: Prng;
  readonly startMs: number;
  readonly troubles: ReadonlySet<Trouble>;
  readonly traceId: string;
  readonly records: DemoRecord[];
}

/** The records of one story that begins at a moment, in the order of what happened. */
export function storyAt(startMs: number, random: Prng): readonly DemoRecord[] {
  const traceId = hex(random, 32);
  const troubles = troublesAt(startMs);
  const story: Story = { random, startMs, troubles, traceId, records: [] };
  const kind = random.below(100);
  if (kind < 46) page(story);
  else if (kind < 64) searchFor(story);
  else if (kind < 76) checkout(story);
  else if (kind < 84) probe(story);
  else if (kind < 92) job(story);
  else cluster(story);
  return story.records;
}

/** Records of a story on average: how many stories make so many records. */
export const recordsPerStory = 2.15;

function say(
  { random, startMs, traceId, records }: Story,
  service: ServiceName,
  record: { readonly afterMs: number; readonly level: string; readonly message: string },
  fields: DemoRecord = {},
): void {
  const host = `${service}-${1 + random.below(hostCounts[service])}`;
  records.push({
    _time: new Date(startMs + record.afterMs).toISOString(),
    service,
    host,
    level: record.level,
    ...fields,
    trace_id: traceId,
    _msg: record.message,
  });
}

const wares = ["lamp", "teapot", "bicycle", "kettle", "rucksack", "umbrella", "notebook", "chair"];
const agents = [
  "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15",
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/139.0 Safari/537.36",
  "shop-app/4.12 (Android 15)",
];

/** The line that the gateway writes when a request is over. */
function access(
  story: Story,
  request: { method: string; path: string; status: number; tookMs: number },
): void {
  const { random } = story;
  const { method, path, status, tookMs } = request;
  // Addresses of the documentation ranges, which are nobody's.
  const client = `${random.pick(["192.0.2", "198.51.100", "203.0.113"])}.${1 + random.below(254)}`;
  const bytes = status === 304 ? 0 : 300 + skewed(random, 60_000);
  say(
    story,
    "gateway",
    {
      afterMs: tookMs,
      level: status >= 500 ? "error" : status >= 400 ? "warn" : "info",
      message: `${client} "${method} ${path} HTTP/1.1" ${status} ${bytes} "${random.pick(agents)}" ${tookMs} ms`,
    },
    { method, path, status, bytes, duration_ms: tookMs, client_ip: client },
  );
}

function page(story: Story): void {
  const { random, troubles } = story;
  const path = random.chance(0.4)
    ? random.pick(["/", "/cart", "/account", "/offers"])
    : `/items/${random.pick(wares)}-${1 + skewed(random, 400)}`;
  const isSlow = troubles.has("database");
  const queryMs = 2 + skewed(random, isSlow ? 4_000 : 60);
  const user = 1 + skewed(random, 9_000);
  if (isSlow && random.chance(0.35)) {
    lockWait(story, queryMs);
    say(
      story,
      "shop",
      {
        afterMs: queryMs + 1,
        level: "error",
        message: `cannot render ${path} for user ${user}: database did not answer within ${queryMs} ms`,
      },
      { user, error: "database timeout", duration_ms: queryMs },
    );
    access(story, { method: "GET", path, status: 503, tookMs: queryMs + 3 });
    return;
  }
  const tookMs = queryMs + 3 + skewed(random, 40);
  say(
    story,
    "shop",
    { afterMs: tookMs - 1, level: "info", message: `rendered ${path} for user ${user}` },
    { user, duration_ms: tookMs },
  );
  if (random.chance(0.1)) {
    const message = `cache miss for key page:${path}, ${random.below(4_000)} keys in use`;
    say(story, "shop", { afterMs: 1, level: "debug", message });
  }
  const isGone = path.startsWith("/items/") && random.chance(0.05);
  const status = isGone ? 404 : random.pick([200, 200, 200, 304]);
  access(story, { method: "GET", path, status, tookMs });
}

function lockWait(story: Story, waitedMs: number): void {
  const { random } = story;
  say(
    story,
    "database",
    {
      afterMs: waitedMs,
      level: "warn",
      message: `process ${2_000 + random.below(400)} still waiting for ShareLock on transaction ${700_000 + random.below(90_000)} after ${waitedMs} ms`,
    },
    { database: "orders", duration_ms: waitedMs },
  );
}

function searchFor(story: Story): void {
  const { random, troubles } = story;
  const words = `${random.pick(["red", "small", "used", "blue", "old"])} ${random.pick(wares)}`;
  const path = `/search?q=${words.replace(" ", "+")}`;
  if (troubles.has("search") && random.chance(0.5)) {
    say(
      story,
      "search",
      {
        afterMs: 40,
        level: "error",
        message: `query "${words}" failed: circuit breaker open, heap at ${95 + random.below(5)}%`,
      },
      { error: "circuit breaker", index: "wares" },
    );
    access(story, { method: "GET", path, status: 502, tookMs: 42 });
    return;
  }
  const tookMs = 4 + skewed(random, troubles.has("search") ? 2_500 : 180);
  const hits = skewed(random, 900);
  say(
    story,
    "search",
    {
      afterMs: tookMs,
      level: tookMs > 1_000 ? "warn" : "info",
      message: `query "${words}" found ${hits} wares in ${tookMs} ms`,
    },
    { index: "wares", hits, duration_ms: tookMs },
  );
  access(story, { method: "GET", path, status: 200, tookMs: tookMs + 4 });
}

function checkout(story: Story): void {
  const { random, troubles } = story;
  const order = `o-${hex(random, 8)}`;
  const cents = 400 + skewed(random, 60_000);
  const amount = `${(cents / 100).toFixed(2)} EUR`;
  const user = 1 + skewed(random, 9_000);
  const fields = { order, amount_cents: cents };
  say(
    story,
    "shop",
    { afterMs: 2, level: "info", message: `order ${order} of user ${user} placed: ${amount}` },
    { user, ...fields },
  );
  if (troubles.has("payments") && random.chance(0.6)) {
    const waitedMs = 3_000 + random.below(40);
    for (const attempt of [1, 2, 3]) {
      say(
        story,
        "payments",
        {
          afterMs: waitedMs * attempt,
          level: attempt === 3 ? "error" : "warn",
          message: `charging ${amount} for order ${order} failed: provider timed out after ${waitedMs} ms (attempt ${attempt} of 3)`,
        },
        { ...fields, attempt, provider: "paywell", error: "timeout", duration_ms: waitedMs },
      );
    }
    access(story, { method: "POST", path: "/checkout", status: 504, tookMs: waitedMs * 3 + 5 });
    return;
  }
  const tookMs = 60 + skewed(random, 900);
  const isDeclined = random.chance(0.04);
  say(
    story,
    "payments",
    {
      afterMs: tookMs,
      level: isDeclined ? "warn" : "info",
      message: `${isDeclined ? "card declined" : "charged"} ${amount} for order ${order}`,
    },
    { ...fields, provider: random.pick(["paywell", "northbank"]), duration_ms: tookMs },
  );
  const status = isDeclined ? 402 : 201;
  access(story, { method: "POST", path: "/checkout", status, tookMs: tookMs + 8 });
  if (!isDeclined) confirmation(story, { order, afterMs: tookMs + 400 });
}

function confirmation(story: Story, { order, afterMs }: { order: string; afterMs: number }): void {
  const { random, troubles } = story;
  const isRefused = troubles.has("mail") ? random.chance(0.7) : random.chance(0.01);
  say(
    story,
    "mail",
    {
      afterMs: afterMs + random.below(900),
      level: isRefused ? "error" : "info",
      message: isRefused
        ? `confirmation of ${order} deferred: 451 4.7.1 greylisted by mx${1 + random.below(3)}.example.net`
        : `confirmation of ${order} sent, queue ${hex(random, 10).toUpperCase()}`,
    },
    { order, queue: "confirmations" },
  );
}

function probe(story: Story): void {
  const { random } = story;
  const path = random.pick(["/healthz", "/readyz"]);
  access(story, { method: "GET", path, status: 200, tookMs: 1 + random.below(3) });
}

function job(story: Story): void {
  const { random } = story;
  const name = random.pick(["rebuild-offers", "expire-carts", "sync-stock", "daily-report"]);
  const tookMs = 200 + skewed(random, 30_000);
  const run = { job: name, run: hex(random, 6) };
  say(story, "scheduler", { afterMs: 0, level: "info", message: `job ${name} started` }, run);
  if (random.chance(0.3)) {
    say(
      story,
      "database",
      {
        afterMs: tookMs - 50,
        level: "info",
        message: `duration: ${tookMs} ms  statement: SELECT sku, stock FROM wares WHERE changed > $1`,
      },
      { database: "wares", duration_ms: tookMs },
    );
  }
  const isFailed = random.chance(0.03);
  say(
    story,
    "scheduler",
    {
      afterMs: tookMs,
      level: isFailed ? "error" : "info",
      message: isFailed
        ? `job ${name} failed after ${tookMs} ms: exit status 1`
        : `job ${name} done in ${tookMs} ms`,
    },
    { ...run, duration_ms: tookMs },
  );
}

function cluster(story: Story): void {
  const { random, troubles } = story;
  const workload = troubles.has("search") ? "search" : random.pick(["shop", "search", "mail"]);
  const pod = `${workload}-${hex(random, 9)}-${hex(random, 5)}`;
  const fields = { "kubernetes.pod.name": pod, "kubernetes.namespace": "store" };
  if (troubles.has("search")) {
    const message = `Memory cgroup out of memory: killed container ${workload} in pod ${pod}`;
    say(
      story,
      "kubelet",
      { afterMs: 0, level: "error", message },
      { ...fields, reason: "OOMKilled" },
    );
    return;
  }
  const [reason, level, message] = random.pick([
    ["Pulled", "info", `image of ${workload} already present on machine`],
    ["Started", "info", `started container ${workload}`],
    ["Created", "info", `created container ${workload}`],
    ["Scheduled", "info", `assigned ${pod} to kubelet-${1 + random.below(2)}`],
    ["Unhealthy", "warn", `readiness probe of ${pod} failed: connection refused`],
    ["Killing", "info", `stopping container ${workload}`],
  ] as const);
  say(story, "kubelet", { afterMs: 0, level, message }, { ...fields, reason });
}

/** A whole number in [0, n), small ones far more often: latencies and popularity look like that. */
function skewed(random: Prng, n: number): number {
  return Math.floor(random.unit() ** 4 * n);
}

function hex(random: Prng, length: number): string {
  let text = "";
  while (text.length < length) text += random.u32().toString(16).padStart(8, "0");
  return text.slice(0, length);
}
