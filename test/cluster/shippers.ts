import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Row, Service } from "../service.ts";
import { insist } from "./insist.ts";

export interface ShippersOptions {
  /** The nodes that there are to ship to, asked before each try. */
  readonly targets: () => readonly Service[];
  readonly shippers?: number;
  readonly recordsPerBatch?: number;
  /** Between two batches of one shipper, in milliseconds. */
  readonly pauseMs?: number;
}

/** How long one try may take before another node is tried. */
const tryMs = 15_000;

/**
 * Shippers that never stop: each sends batches with a key of their own, again and again until one is acknowledged, each time to some node. What is
 * acknowledged must be there once, whatever happens; so must what never was, if it is there at all.
 */
export class Shippers {
  /** Ids of records whose batch was acknowledged. */
  readonly acknowledged = new Set<string>();
  /** The longest time between two acknowledgements of one shipper, in milliseconds, since it was last asked for. */
  #gapMs = 0;
  #tries = 0;
  #refusals = 0;
  #sent = 0;
  #isEnded = false;
  readonly #options: ShippersOptions;
  readonly #batches: number[];
  #running: readonly Promise<void>[] = [];
  #stopping = new AbortController();
  readonly #name = randomUUID().slice(0, 8);

  constructor(options: ShippersOptions) {
    this.#options = options;
    this.#batches = Array.from({ length: options.shippers ?? 4 }, () => 0);
    this.resume();
  }

  /** Records that were sent at least once: no more than these can be there. */
  get sent(): number {
    return this.#sent;
  }

  /** What it took: tries, and how many of them were refused or broke. */
  get facts(): string {
    return `${this.acknowledged.size} records acknowledged, ${this.#tries} tries, ${this.#refusals} failed`;
  }

  takeGapMs(): number {
    const gapMs = this.#gapMs;
    this.#gapMs = 0;
    return gapMs;
  }

  /** Resolves when so many more records are acknowledged. */
  async more(records: number): Promise<void> {
    const goal = this.acknowledged.size + records;
    const endMs = performance.now() + 120_000;
    while (this.acknowledged.size < goal) {
      if (performance.now() > endMs) throw new Error(`nothing is acknowledged: ${this.facts}`);
      await sleep(20);
    }
  }

  /** Resolves when each shipper has begun so many more batches: all before the last of them are acknowledged. */
  async moreOfEach(batches: number): Promise<void> {
    const goals = this.#batches.map((begun) => begun + batches);
    const endMs = performance.now() + 120_000;
    while (goals.some((goal, number) => (this.#batches[number] as number) < goal)) {
      if (performance.now() > endMs) throw new Error(`nothing is acknowledged: ${this.facts}`);
      await sleep(20);
    }
  }

  /** What is under way is finished, or given up after a while. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#running);
  }

  /** As a stop, but nothing is waited for. */
  async end(): Promise<void> {
    this.#isEnded = true;
    await this.stop();
  }

  /** They go on after a stop. */
  resume(): void {
    this.#stopping = new AbortController();
    this.#running = this.#batches.map((_, number) => this.#run(number));
  }

  async #run(number: number): Promise<void> {
    const { pauseMs = 10, recordsPerBatch = 20 } = this.#options;
    let lastMs = performance.now();
    while (!this.#stopping.signal.aborted) {
      const batch = this.#batches[number]!++;
      const key = `${this.#name}-${number}-${batch}`;
      const records = Array.from({ length: recordsPerBatch }, (_, i) => ({
        ...{ service: `s${(batch + i) % 16}`, host: `h${number}`, id: `${key}-${i}` },
        _msg: `record ${i} of batch ${batch}`,
      }));
      this.#sent += records.length;
      if (await this.#ship(key, records)) {
        for (const { id } of records) this.acknowledged.add(id);
        const nowMs = performance.now();
        this.#gapMs = Math.max(this.#gapMs, nowMs - lastMs);
        lastMs = nowMs;
      }
      await sleep(pauseMs);
    }
  }

  /** False: given up, its outcome is unknown. */
  async #ship(key: string, records: readonly object[]): Promise<boolean> {
    const body = records.map((record) => `${JSON.stringify(record)}\n`).join("");
    const giveUpMs = 60_000;
    let endMs = Number.POSITIVE_INFINITY;
    while (performance.now() < endMs && !this.#isEnded) {
      if (this.#stopping.signal.aborted && endMs === Number.POSITIVE_INFINITY) {
        endMs = performance.now() + giveUpMs;
      }
      const targets = this.#options.targets();
      const target = targets[Math.floor(Math.random() * targets.length)];
      if (target !== undefined && (await this.#try(target, key, body))) return true;
      await sleep(50);
    }
    return false;
  }

  async #try(target: Service, key: string, body: string): Promise<boolean> {
    this.#tries++;
    try {
      const response = await fetch(`${target.http}/api/v1/logs?stream=service,host`, {
        method: "POST",
        headers: { "Content-Type": "application/x-ndjson", "Idempotency-Key": key },
        body,
        signal: AbortSignal.timeout(tryMs),
      });
      const answer = await response.text();
      if (response.status === 200) return true;
      if (response.status < 500 && ![408, 429].includes(response.status)) {
        throw new Error(`refused for good: ${response.status} ${answer}`);
      }
    } catch (thrown) {
      if (thrown instanceof Error && thrown.message.startsWith("refused for good")) throw thrown;
    }
    this.#refusals++;
    return false;
  }
}

/** What is wrong with what a node answers of shipped records; empty when each acknowledged one is there once, and no other twice. */
export async function faultsOf(
  node: Service,
  acknowledged: ReadonlySet<string>,
): Promise<string[]> {
  const counts = new Map<string, number>();
  for (const { id } of await idsOf(node)) {
    counts.set(String(id), (counts.get(String(id)) ?? 0) + 1);
  }
  const missing = [...acknowledged].filter((id) => !counts.has(id));
  const twice = [...counts].filter(([, count]) => count > 1).map(([id]) => id);
  return [
    ...(missing.length === 0
      ? []
      : [`${missing.length} missing, as ${missing.slice(0, 5).join(" ")}`]),
    ...(twice.length === 0 ? [] : [`${twice.length} twice, as ${twice.slice(0, 5).join(" ")}`]),
  ];
}

function idsOf(node: Service): Promise<readonly Row[]> {
  const params = { timeout: "60s", partial: "deny", end: "2100-01-01T00:00:00Z" };
  return insist(() => node.search("id:* | fields id", params));
}
