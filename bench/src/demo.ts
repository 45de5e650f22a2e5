// `npm run demo`: a made-up fleet to look at. Backfills the last 24 hours, then goes on live until interrupted.
//   npm run demo -- [--url http://127.0.0.1:7070] [--key TOKEN] [--records 200000] [--rate 50] [--once]
// --records (about so many) 0 leaves the backfill out, --once ends after it.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { Prng } from "../../kit/src/prng.ts";
import { type DemoRecord, recordsPerStory, storyAt } from "./demo-fleet.ts";
import { loadAt, moments } from "./demo-traffic.ts";

const backfillMs = 24 * 60 * 60 * 1000;
const recordsMax = 10_000_000;
const rateMax = 100_000;
/** Records in one request. */
const bodyRecords = 2_000;
/** How often a request is repeated that the service is too busy for. */
const attemptsMax = 60;
/** How often live records are sent. */
const liveMs = 500;
/** How long the service may be away before the demo gives up. */
const awayMaxMs = 120_000;

interface Options {
  readonly url: string;
  readonly key: string | undefined;
  readonly records: number;
  readonly rate: number;
  readonly isOnce: boolean;
}

/** A mistake of who typed the command, or a service that is not there: told in its own words. */
class DemoError extends Error {}

const usage =
  "npm run demo -- [--url http://127.0.0.1:7070] [--key TOKEN] [--records 200000] [--rate 50] [--once]";

function optionsOf(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      url: { type: "string", default: process.env["LOGKEEP_URL"] ?? "http://127.0.0.1:7070" },
      key: { type: "string", default: process.env["LOGKEEP_KEY"] ?? "" },
      records: { type: "string", default: "200000" },
      rate: { type: "string", default: "50" },
      once: { type: "boolean", default: false },
    },
  });
  return {
    url: values.url.replace(/\/+$/, ""),
    key: values.key === "" ? undefined : values.key,
    records: wholeNumber("--records", values.records, { min: 0, max: recordsMax }),
    rate: wholeNumber("--rate", values.rate, { min: 1, max: rateMax }),
    isOnce: values.once,
  };
}

function wholeNumber(
  flag: string,
  text: string,
  { min, max }: { readonly min: number; readonly max: number },
): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new DemoError(`${flag} must be a whole number from ${min} to ${max}`);
}

async function checkService({ url }: Options): Promise<void> {
  try {
    const response = await fetch(`${url}/healthz`);
    if (response.ok) return;
    throw new DemoError(`${url} answers, but it is not Logkeep (status ${response.status})`);
  } catch (thrown) {
    if (thrown instanceof DemoError) throw thrown;
    throw new DemoError(
      `nothing answers at ${url}; start the service in another terminal first:\n  npm start`,
    );
  }
}

/** Sends records as one gzip body; repeated under one key until it is stored once. Gives how many were accepted. */
async function ship(
  { url, key }: Options,
  records: readonly DemoRecord[],
  signal: AbortSignal,
): Promise<number> {
  const body = gzipSync(records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  const headers = {
    "Content-Type": "application/x-ndjson",
    "Content-Encoding": "gzip",
    "Idempotency-Key": randomUUID(),
    ...(key === undefined ? {} : { Authorization: `Bearer ${key}` }),
  };
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(`${url}/api/v1/logs?stream=service,host`, {
      ...{ method: "POST", headers, body, signal },
    });
    const text = await response.text();
    if (response.ok) return (JSON.parse(text) as { accepted: number }).accepted;
    const isBusy = response.status === 429 || response.status === 503;
    if (!isBusy || attempt === attemptsMax) {
      throw new DemoError(`the service refused records with ${response.status}: ${text}`);
    }
    const seconds = Number(response.headers.get("Retry-After") ?? 1);
    await sleep(seconds * 1000, undefined, { signal });
  }
}

/** Tells how far it is: in place on a terminal, else a line for each tenth. */
class Progress {
  readonly #total: number;
  readonly #startedMs = performance.now();
  #tenths = 0;

  constructor(total: number) {
    this.#total = total;
  }

  tell(done: number): void {
    const share = Math.min(1, done / this.#total);
    const tenths = Math.floor(share * 10);
    if (!process.stdout.isTTY && tenths === this.#tenths) return;
    this.#tenths = tenths;
    const perSecond = Math.round((done * 1000) / (performance.now() - this.#startedMs));
    const text = `backfill ${Math.round(share * 100)} %  ${done} records, ${perSecond} a second`;
    process.stdout.write(process.stdout.isTTY ? `\r\u001b[K${text}` : `${text}\n`);
  }

  end(): void {
    if (process.stdout.isTTY) process.stdout.write("\n");
  }
}

async function backfill(options: Options, random: Prng, signal: AbortSignal): Promise<void> {
  const toMs = Date.now();
  const count = Math.ceil(options.records / recordsPerStory);
  const progress = new Progress(options.records);
  let waiting: DemoRecord[] = [];
  let stored = 0;
  const flush = async (records: readonly DemoRecord[]): Promise<void> => {
    stored += await ship(options, records, signal);
    progress.tell(stored);
  };
  for (const ms of moments({ fromMs: toMs - backfillMs, toMs, count, random })) {
    // What a story tells later than now has not happened yet.
    const records = storyAt(ms, random).filter(({ _time }) => Date.parse(String(_time)) <= toMs);
    waiting.push(...records);
    if (waiting.length >= bodyRecords) {
      const taken = waiting;
      waiting = [];
      await flush(taken);
    }
  }
  if (waiting.length > 0) await flush(waiting);
  progress.end();
}

/** Goes on at so many records a second, each sent once its time has come. */
async function live(options: Options, random: Prng, signal: AbortSignal): Promise<void> {
  console.log(
    `live: about ${options.rate} records a second, until Ctrl-C; look at ${options.url}/`,
  );
  let told: { readonly dueMs: number; readonly record: DemoRecord }[] = [];
  let fromMs = Date.now();
  let awaySinceMs: number | undefined;
  while (!signal.aborted) {
    await sleep(liveMs, undefined, { signal });
    // Whoever was suspended does not make up for all of it.
    const toMs = Date.now();
    fromMs = Math.max(fromMs, toMs - 10_000);
    const seconds = (toMs - fromMs) / 1000;
    const wanted = (options.rate * loadAt(toMs) * seconds) / recordsPerStory;
    const count = Math.floor(wanted) + (random.chance(wanted % 1) ? 1 : 0);
    for (const ms of moments({ fromMs, toMs, count, random })) {
      for (const record of storyAt(ms, random)) {
        told.push({ dueMs: Date.parse(String(record["_time"])), record });
      }
    }
    fromMs = toMs;
    const due = told.filter(({ dueMs }) => dueMs <= toMs).map(({ record }) => record);
    told = told.filter(({ dueMs }) => dueMs > toMs);
    if (due.length === 0) continue;
    try {
      await ship(options, due, signal);
      if (awaySinceMs !== undefined) console.log("the service is back");
      awaySinceMs = undefined;
    } catch (thrown) {
      if (signal.aborted || thrown instanceof DemoError) throw thrown;
      if (awaySinceMs === undefined) console.log("the service does not answer; waiting for it");
      awaySinceMs ??= toMs;
      if (toMs - awaySinceMs > awayMaxMs) throw new DemoError("the service did not come back");
    }
  }
}

const interrupt = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interrupt.abort());
const args = process.argv.slice(2);
if (args.includes("--help") || args.includes("-h")) {
  console.log(usage);
  process.exit(0);
}
try {
  const options = optionsOf(args);
  await checkService(options);
  const random = new Prng(Date.now() % 2 ** 31);
  if (options.records > 0) await backfill(options, random, interrupt.signal);
  if (options.isOnce) console.log(`done; look at ${options.url}/?query=*&last=1440`);
  else await live(options, random, interrupt.signal);
} catch (thrown) {
  if (!interrupt.signal.aborted) {
    console.error(`demo: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    const { code } = thrown as NodeJS.ErrnoException;
    if (code?.startsWith("ERR_PARSE_ARGS") === true) console.error(usage);
    process.exitCode = 1;
  }
}
