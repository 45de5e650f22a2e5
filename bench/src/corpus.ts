import { Prng } from "../../kit/src/prng.ts";
import { type Emit, fleetOf, type Service } from "./corpus-services.ts";

const dayMs = 86_400_000;

export interface CorpusOptions {
  /** One seed, one corpus, but for the times. */
  readonly seed: number;
  readonly records: number;
  /** The time of the last record; the full hour before now, so that no retention drops anything. */
  readonly endMs?: number;
  /** The time from the first to the last record; a day. */
  readonly spanMs?: number;
}

/**
 * The project's corpus: JSON records of about 300 bytes of a made-up fleet (web front, API, key-value
 * store, queue workers, sign-in, scheduler), by time. Each buffer is one line with its newline.
 */
export function* generateCorpus(options: CorpusOptions): Generator<Buffer> {
  const { seed, records, spanMs = dayMs } = options;
  const endMs = options.endMs ?? Math.floor(Date.now() / 3_600_000) * 3_600_000;
  const random = new Prng(seed);
  const services = fleetOf(random);
  const shares = services.flatMap((service) =>
    Array.from({ length: service.share }, (): Service => service),
  );
  for (let i = 0; i < records; i++) {
    const ms = endMs - spanMs + Math.floor(((i + 1) * spanMs) / records);
    const micros = String(random.below(1_000)).padStart(3, "0");
    const service = random.pick(shares);
    const emit: Emit = {
      _time: `${new Date(ms).toISOString().slice(0, -1)}${micros}Z`,
      service: service.name,
      host: random.pick(service.hosts),
      ...service.record(),
    };
    yield Buffer.from(`${JSON.stringify(emit)}\n`);
  }
}
