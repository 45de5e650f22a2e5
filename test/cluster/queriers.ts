import { setTimeout as sleep } from "node:timers/promises";
import type { Row, Service } from "../service.ts";
import type { Shippers } from "./shippers.ts";

export interface QueriersOptions {
  /** The nodes that there are to ask, looked at before each question. */
  readonly targets: () => readonly Service[];
  /** Whose records are counted; nobody else's are in the cluster. */
  readonly shippers: Shippers;
  readonly queriers?: number;
  /** Between two questions of one querier, in milliseconds. */
  readonly pauseMs?: number;
}

/** How long one question may take. */
const askMs = 30_000;

const question = "id:* | stats by (_time:1s) count() n";

/**
 * Queriers that never stop: each counts the records of every second at some node. An answer that is not flagged as partial has all that was
 * acknowledged before it was asked for, nothing that was never sent, and in no second less than a whole answer that
 * was there before.
 */
export class Queriers {
  /** What was wrong with answers. */
  readonly faults: string[] = [];
  /** The most that a whole answer had of each second. */
  readonly #seen = new Map<string, number>();
  #whole = 0;
  #partial = 0;
  #failed = 0;
  readonly #options: QueriersOptions;
  readonly #running: readonly Promise<void>[];
  readonly #stopping = new AbortController();

  constructor(options: QueriersOptions) {
    this.#options = options;
    const { queriers = 2 } = options;
    this.#running = Array.from({ length: queriers }, () => this.#run());
  }

  /** How the questions were answered. */
  get facts(): string {
    return `${this.#whole} whole answers, ${this.#partial} partial, ${this.#failed} failed`;
  }

  /** Resolves when so many more answers were whole. */
  async more(answers: number): Promise<void> {
    const goal = this.#whole + answers;
    const endMs = performance.now() + 120_000;
    while (this.#whole < goal) {
      if (performance.now() > endMs) throw new Error(`nothing is answered: ${this.facts}`);
      await sleep(20);
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#running);
  }

  async #run(): Promise<void> {
    const { pauseMs = 100, targets } = this.#options;
    while (!this.#stopping.signal.aborted) {
      const nodes = targets();
      const node = nodes[Math.floor(Math.random() * nodes.length)];
      if (node !== undefined) await this.#ask(node);
      await sleep(pauseMs);
    }
  }

  async #ask(node: Service): Promise<void> {
    const { shippers } = this.#options;
    const acknowledged = shippers.acknowledged.size;
    const before = new Map(this.#seen);
    let rows: Row[] | undefined;
    try {
      rows = await this.#rows(node);
    } catch {
      // Refused, or the transfer broke off: whoever asked knows that.
      this.#failed++;
      return;
    }
    if (rows === undefined) {
      this.#partial++;
      return;
    }
    this.#whole++;
    const counts = new Map(rows.map(({ _time, n }) => [String(_time), Number(n)]));
    const total = [...counts.values()].reduce((sum, n) => sum + n, 0);
    const where = `answer ${this.#whole}, of ${node.http}`;
    if (total < acknowledged) {
      this.faults.push(`${where}: ${total} records, ${acknowledged} had been acknowledged`);
    }
    if (total > shippers.sent) {
      this.faults.push(`${where}: ${total} records, ${shippers.sent} had been sent`);
    }
    for (const [second, n] of before) {
      const now = counts.get(second) ?? 0;
      if (now < n) this.faults.push(`${where}: ${now} records of ${second}, there had been ${n}`);
    }
    for (const [second, n] of counts) {
      this.#seen.set(second, Math.max(n, this.#seen.get(second) ?? 0));
    }
  }

  /** Undefined: flagged as partial. */
  async #rows(node: Service): Promise<Row[] | undefined> {
    const params = { query: question, start: "0", end: "2100-01-01T00:00:00Z", limit: "0" };
    const response = await fetch(`${node.http}/api/v1/query?${new URLSearchParams(params)}`, {
      signal: AbortSignal.timeout(askMs),
    });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${response.status} ${text}`);
    if (response.headers.get("X-Logkeep-Partial") === "true") return undefined;
    const lines = text.split("\n").filter((line) => line !== "");
    return lines.map((line) => JSON.parse(line) as Row);
  }
}
