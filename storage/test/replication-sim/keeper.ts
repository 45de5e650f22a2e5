import type {
  Effect,
  Entry,
  Input,
  LogPoint,
  ManifestCommit,
  SegmentRef,
} from "../../src/replication/core/types.ts";
import { isHiddenBy } from "./checker.ts";
import type { View } from "./coordinator.ts";
import type { Disk } from "./disk.ts";
import { paths, type SealedRecord, type SealedZnode, type StoredFile } from "./files.ts";
import type { Lanes } from "./lanes.ts";
import type { LogImage } from "./log-image.ts";
import type { SealedChange } from "./seat.ts";
import { type Part, Tables } from "./tables.ts";

export interface KeeperHost {
  readonly disk: Disk;
  readonly lanes: Lanes;
  /** The log with what is not synced yet. */
  readonly log: LogImage;
  input(input: Input): void;
  uuidNext(): string;
  /** A file of another replica: undefined when it cannot be had now. */
  fetch(from: string, uuid: string, done: (file: StoredFile | undefined) => void): void;
}

/** A seal or merge under way. */
interface Pending {
  readonly id: string;
  /** Of these files, which are not on disk yet. */
  readonly unwritten: Set<string>;
  readonly commit: ManifestCommit;
  readonly settle: (outcome: "committed" | "refused" | "unknown") => void;
}

interface Holding {
  readonly revision: number;
  readonly missing: Set<string>;
}

const nothingSealed: SealedZnode = {
  generation: 0,
  sealedThrough: { epoch: 0, position: 0 },
  checkpoint: undefined,
};

/** What a process keeps of a shard as its owner: tables, live segments, seals and merges; and copies as a follower. */
export class Keeper {
  readonly #host: KeeperHost;
  /** As far as this process has ever loaded them. */
  tables: Tables | undefined;
  sealed: SealedZnode = nothingSealed;
  #live = new Map<string, SegmentRef>();
  #pending: Pending | undefined;
  #holding: Holding | undefined;
  seals = 0;
  merges = 0;
  /** Orders to hold files. */
  orders = 0;

  constructor(host: KeeperHost) {
    this.#host = host;
  }

  get isChanging(): boolean {
    return this.#pending !== undefined;
  }

  /** Read in the session that acquired. */
  load(effect: Extract<Effect, { kind: "load" }>, view: View, isSameSession: boolean): void {
    const input = isSameSession ? this.#loaded(effect, view) : "the session has expired";
    const { load } = effect;
    const isPassing = !isSameSession;
    if (typeof input !== "string") this.#host.input(input);
    else this.#host.input({ kind: "load-failed", load, reason: input, isPassing });
  }

  /** Or why not. */
  #loaded(effect: Extract<Effect, { kind: "load" }>, view: View): Input | string {
    const { load, epoch, end, withKeys } = effect;
    const sealed = view.get(paths.sealed)?.data as SealedZnode;
    const live = view.list(paths.segments).map(({ data }) => data as SegmentRef);
    const all = sealed.checkpoint === undefined ? live : [...live, sealed.checkpoint];
    this.sealed = sealed;
    this.#live = new Map(live.map((ref) => [ref.uuid, ref]));
    const isHeld = all.every(({ uuid }) => this.#has(uuid));
    // A log that ends below what is sealed without copies of that is for the core to judge.
    if (isHeld && !this.#tablesBuild(sealed, end, withKeys)) return "the log is damaged";
    if (!isHeld && end.position >= sealed.sealedThrough.position) return "segments are lost";
    const { sealedThrough } = sealed;
    const body: Part = { key: undefined, body: { id: -epoch, kind: "epoch-start", record: 0 } };
    return {
      ...{ kind: "loaded", load, epochStart: { bytes: 10, body } },
      sealed: { sealedThrough, segments: all, isHeld },
    };
  }

  /** What was known before stays as far as it was not taken back. */
  #tablesBuild(
    { sealedThrough, checkpoint }: SealedZnode,
    end: LogPoint,
    withKeys: boolean,
  ): boolean {
    const { disk, log } = this.#host;
    if (!withKeys) this.tables = undefined;
    if (this.tables === undefined || this.tables.through < sealedThrough.position) {
      const file = checkpoint === undefined ? undefined : disk.files.get(checkpoint.uuid);
      this.tables = new Tables(file?.kind === "checkpoint" ? file.tables : undefined);
      if (!withKeys) this.tables.keys.clear();
      this.tables.through = sealedThrough.position;
    }
    const from = Math.max(this.tables.through, log.base.position);
    for (const entry of log.behind(Math.min(from, log.end.position))) {
      if (log.rotten.has(entry.position)) return false;
      this.tables.take(entry, withKeys);
    }
    this.tables.through = Math.max(this.tables.through, end.position);
    return true;
  }

  /** An own entry: its key counts from here on. */
  appended(entry: Entry): void {
    if (this.tables !== undefined && this.tables.through < entry.position) this.tables.take(entry);
  }

  forget(after: number): void {
    this.tables?.forget(after);
  }

  /** Records of a cut; undefined when a file of it cannot be read. */
  cut(through: number): readonly number[] | undefined {
    const { log } = this.#host;
    const records: SealedRecord[] = [];
    for (const uuid of this.#live.keys()) {
      const file = this.#file(uuid);
      if (file?.kind !== "segment") return undefined;
      for (const record of file.records) records.push(record);
    }
    const from = Math.max(this.sealed.sealedThrough.position, log.base.position);
    for (const entry of log.behind(Math.min(from, log.end.position))) {
      if (entry.position > through) break;
      if (log.rotten.has(entry.position)) return undefined;
      const body = (entry.body as Part).body;
      if (body.kind !== "record") continue;
      records.push({ position: entry.position, record: body.record });
    }
    return this.#visible(records, through).map(({ record }) => record);
  }

  #visible(records: readonly SealedRecord[], through: number): readonly SealedRecord[] {
    const deletes = this.tables?.deletes.filter(({ position }) => position <= through) ?? [];
    if (deletes.length === 0) return records;
    return records.filter(({ position, record }) => {
      return !deletes.some((each) => each.position > position && isHiddenBy(record, each.record));
    });
  }

  /** Begins a seal of what may be sealed. */
  seal(through: LogPoint): void {
    const { log } = this.#host;
    const from = this.sealed.sealedThrough.position;
    if (this.tables === undefined || this.#pending !== undefined || through.position <= from)
      return;
    if (from < log.base.position) return;
    const records = log.behind(from).flatMap((entry): readonly SealedRecord[] => {
      const body = (entry.body as Part).body;
      if (entry.position > through.position || body.kind !== "record") return [];
      return [{ position: entry.position, record: body.record }];
    });
    const segment: StoredFile = { kind: "segment", uuid: this.#host.uuidNext(), records };
    const uuid = `checkpoint-${this.#host.uuidNext()}`;
    const tables = new Tables(this.tables, through.position);
    const old = this.sealed.checkpoint;
    const checkpoint: SegmentRef = { uuid, detail: "checkpoint" };
    const change: SealedChange = (before) => ({ ...before, sealedThrough: through, checkpoint });
    this.#begin(
      [segment, { kind: "checkpoint", uuid, tables }],
      {
        kind: "seal",
        sealedThrough: through,
        remove: old === undefined ? [] : [old.uuid],
        detail: change,
      },
      () => {
        this.seals++;
        this.#live.set(segment.uuid, { uuid: segment.uuid, detail: "segment" });
        this.sealed = change({ ...this.sealed, generation: this.sealed.generation + 1 });
      },
    );
  }

  /** Joins some live segments, leaving out what was deleted at or before `committed`. */
  merge(committed: number): void {
    const inputs = [...this.#live.keys()].slice(-3);
    if (this.tables === undefined || this.#pending !== undefined || inputs.length < 2) return;
    const records: SealedRecord[] = [];
    for (const uuid of inputs) {
      const file = this.#file(uuid);
      if (file?.kind !== "segment") return;
      records.push(...file.records);
    }
    const uuid = this.#host.uuidNext();
    const output = { kind: "segment", uuid, records: this.#visible(records, committed) } as const;
    const commit = { kind: "merge", sealedThrough: undefined, remove: inputs } as const;
    const detail: SealedChange = (before) => before;
    this.#begin([output], { ...commit, detail }, () => {
      this.merges++;
      for (const each of inputs) this.#live.delete(each);
      this.#live.set(uuid, { uuid, detail: "segment" });
      this.sealed = { ...this.sealed, generation: this.sealed.generation + 1 };
    });
  }

  #begin(
    files: readonly StoredFile[],
    parts: Omit<ManifestCommit, "id" | "add">,
    swap: () => void,
  ): void {
    const id = this.#host.uuidNext();
    const add = files.map(({ kind, uuid }): SegmentRef => ({ uuid, detail: kind }));
    const { remove } = parts;
    this.#pending = {
      id,
      unwritten: new Set(files.map(({ uuid }) => uuid)),
      commit: { id, add, ...parts },
      settle: (outcome) => {
        if (outcome === "committed") swap();
        // With an unknown outcome the files have to stay.
        const gone = { committed: remove, refused: add.map(({ uuid }) => uuid), unknown: [] };
        for (const uuid of gone[outcome]) this.#host.disk.fileDelete(uuid);
      },
    };
    for (const file of files) this.#host.lanes.file(file);
  }

  settled(id: string, outcome: "committed" | "refused" | "unknown"): void {
    if (this.#pending?.id !== id) return;
    this.#pending.settle(outcome);
    this.#pending = undefined;
  }

  /** A file of this process is on disk. */
  written({ uuid }: StoredFile): void {
    const pending = this.#pending;
    if (pending?.unwritten.delete(uuid) === true && pending.unwritten.size === 0) {
      this.#host.input({ kind: "commit", commit: pending.commit });
    }
    if (this.#holding?.missing.delete(uuid) === true) this.#heldIfWhole();
  }

  /** A follower's: has copies of what the owner names, and of nothing that it knows to be needless. */
  hold({ from, revision, isWhole, add, remove }: Extract<Effect, { kind: "hold-segments" }>): void {
    const { disk } = this.#host;
    this.orders++;
    const named = new Set(add.map(({ uuid }) => uuid));
    const before = isWhole ? [] : (this.#holding?.missing ?? []);
    const wanted = new Set([...before, ...named].filter((uuid) => !remove.includes(uuid)));
    if (isWhole) {
      for (const uuid of [...disk.files.keys()]) if (!named.has(uuid)) disk.fileDelete(uuid);
    }
    for (const uuid of remove) disk.fileDelete(uuid);
    const missing = new Set([...wanted].filter((uuid) => !this.#has(uuid)));
    this.#holding = { revision, missing };
    for (const uuid of missing) this.#fetch(from, uuid, this.#holding);
    this.#heldIfWhole();
  }

  /** Deletes all files; not when an order has come since there were so many, or is carried out. */
  clear(orders: number): "wanted" | "cleared" | "nothing" {
    if (this.orders !== orders || (this.#holding?.missing.size ?? 0) > 0) return "wanted";
    const { disk } = this.#host;
    const files = [...disk.files.keys()];
    for (const uuid of files) disk.fileDelete(uuid);
    return files.length > 0 ? "cleared" : "nothing";
  }

  #fetch(from: string, uuid: string, holding: Holding): void {
    this.#host.fetch(from, uuid, (file) => {
      if (this.#holding !== holding || !holding.missing.has(uuid)) return;
      if (file !== undefined) {
        this.#host.lanes.file(file);
        return;
      }
      this.#holding = undefined;
      this.#host.input({ kind: "segments-failed", revision: holding.revision });
    });
  }

  #heldIfWhole(): void {
    if (this.#holding?.missing.size !== 0) return;
    this.#host.input({ kind: "segments-held", revision: this.#holding.revision });
  }

  /** Damage is seen where a file is read. */
  #file(uuid: string): StoredFile | undefined {
    const { disk } = this.#host;
    if (!disk.rottenFiles.has(uuid)) return disk.files.get(uuid);
    this.#host.input({ kind: "damage-found", reason: `segment ${uuid} is damaged` });
    return undefined;
  }

  #has(uuid: string): boolean {
    const { disk } = this.#host;
    return disk.files.has(uuid) && !disk.rottenFiles.has(uuid);
  }
}
