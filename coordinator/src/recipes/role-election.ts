import { pause } from "../../../kit/src/pause.ts";
import { aclOpen } from "../client/acl.ts";
import type { ZooKeeperClient } from "../client/client.ts";
import { isZooKeeperError } from "../client/errors.ts";
import { type MultiStep, steps } from "../client/multi.ts";
import { childPath } from "../client/paths.ts";
import type { Acl } from "../wire/records.ts";
import { ensurePath } from "./ensure-path.ts";
import { retryMs } from "./limits.ts";

/** A time in which this process holds a role. */
export interface RoleTerm {
  /** One more than that of the term before. */
  readonly epoch: number;
  /** Aborted when the term is over or may be, never before `run`; what was begun is still fenced by `guard`. */
  readonly signal: AbortSignal;
  /** The operations behind a check that the role was not given to another since: for `multi`. */
  guard(operations: readonly MultiStep[]): readonly MultiStep[];
  /** Ends the term; for a holder whose guarded `multi` found the role moved on. */
  resign(): void;
}

export interface RoleOptions {
  readonly client: ZooKeeperClient;
  /** The role's znode; made with what is missing above it. */
  readonly path: string;
  /** Who we are, unique for this process. */
  readonly holder: string;
  /** Whether a holder is an earlier incarnation of ourselves that cannot be running any more. */
  readonly replaces?: (holder: string) => boolean;
  readonly acl?: readonly Acl[];
  /** Does the role's work; the term ends when it returns. Must return soon after the signal. */
  readonly run: (term: RoleTerm) => Promise<void>;
  /** Told what `run` or the election threw, for the log. */
  readonly onFailure?: (thrown: unknown) => void;
}

/** The role's data. */
interface RoleState {
  readonly epoch: number;
  readonly holder: string | undefined;
}

interface Elected {
  readonly epoch: number;
  /** Of the role's znode after the election. */
  readonly version: number;
  /** `czxid` of the holder's znode. */
  readonly zxid: bigint;
}

/**
 * Elects one holder of a role. The ephemeral `<path>/holder` says that there is one; what fences is
 * the version of `<path>`, which moves with each election and which every write of the role checks.
 */
export class RoleElection {
  readonly #options: RoleOptions;
  readonly #closing = new AbortController();
  readonly #ended: Promise<void>;

  constructor(options: RoleOptions) {
    this.#options = options;
    this.#ended = this.#campaign();
  }

  /** Ends the term, if there is one, and waits for `run`. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#ended;
  }

  async #campaign(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        const term = await this.#elect();
        if (term === undefined) continue;
        const wasLost = await this.#serve(term);
        // Work that ended by itself is begun anew, but not in a tight loop.
        if (!wasLost) await pause(retryMs, signal);
      } catch (thrown) {
        if (signal.aborted || isZooKeeperError(thrown, "CLOSED")) return;
        this.#options.onFailure?.(thrown);
        await pause(retryMs, signal);
      }
    }
  }

  /** Returns when it was elected, or undefined when another look is worth it. */
  async #elect(): Promise<Elected | undefined> {
    const { client, path, holder, replaces, acl = aclOpen } = this.#options;
    const { signal } = this.#closing;
    const first = encodeState({ epoch: 0, holder: undefined });
    await ensurePath(client, path, { acl, data: first, signal });
    const holderPath = childPath(path, "holder");
    const gone = Promise.withResolvers<void>();
    const present = await client.exists(holderPath, { signal, watch: () => gone.resolve() });
    const { data, stat } = await client.getData(path, { signal });
    const state = decodeState(data);
    // Our own claim is there when an earlier attempt's outcome was unknown: it is replaced, too.
    const isOwn = state.holder === holder;
    const isStale = state.holder !== undefined && replaces?.(state.holder) === true;
    if (present !== null && !isOwn && !isStale) {
      await abortable(gone.promise, signal);
      return undefined;
    }
    const epoch = state.epoch + 1;
    // The multi itself is not given up once it is sent: its claim is released in an ended term.
    await client.connected({ signal });
    try {
      const results = await client.multi([
        ...(present === null ? [] : [steps.delete(holderPath)]),
        steps.setData(path, encodeState({ epoch, holder }), stat.version),
        steps.create(holderPath, Buffer.from(holder), { mode: "ephemeral", acl }),
      ]);
      const zxid = results.at(-1)?.stat?.czxid as bigint;
      return { epoch, version: stat.version + 1, zxid };
    } catch (thrown) {
      // Lost the race, or the outcome is unknown: the next look shows who holds it.
      if (isZooKeeperError(thrown, "BADVERSION", "NODEEXISTS", "NONODE", "CONNECTIONLOSS"))
        return undefined;
      throw thrown;
    }
  }

  /** Says whether the term was lost, before the work ended. */
  async #serve({ epoch, version, zxid }: Elected): Promise<boolean> {
    const { client, path, run } = this.#options;
    const over = new AbortController();
    const stop = client.onSession(({ kind }) => {
      if (kind === "expired" || kind === "closed") over.abort();
    });
    const signal = AbortSignal.any([over.signal, this.#closing.signal]);
    const holderPath = childPath(path, "holder");
    const term: RoleTerm = {
      epoch,
      signal,
      guard: (operations) => [steps.check(path, version), ...operations],
      resign: () => over.abort(),
    };
    try {
      // Closed during the election: a signal that has gone off already would never wake the work.
      if (signal.aborted) return true;
      const watch = (): void => void this.#look(holderPath, zxid, over, watch);
      watch();
      await run(term);
      return over.signal.aborted;
    } finally {
      over.abort();
      stop();
      await this.#release(holderPath, term);
    }
  }

  /** Ends the term when the holder's znode is no longer ours; watches it otherwise. */
  async #look(
    holderPath: string,
    zxid: bigint,
    over: AbortController,
    watch: () => void,
  ): Promise<void> {
    const { client } = this.#options;
    if (over.signal.aborted) return;
    try {
      const stat = await client.exists(holderPath, { watch, signal: over.signal });
      if (stat?.czxid !== zxid) over.abort();
    } catch (thrown) {
      if (isZooKeeperError(thrown, "CONNECTIONLOSS")) watch();
      else over.abort();
    }
  }

  async #release(holderPath: string, term: RoleTerm): Promise<void> {
    const { client } = this.#options;
    if (!client.isConnected) return;
    try {
      await client.multi(term.guard([steps.delete(holderPath)]));
    } catch (thrown) {
      // Somebody else's by now, or it goes with the session.
      if (!isZooKeeperError(thrown)) throw thrown;
    }
  }
}

function encodeState(state: RoleState): Buffer {
  return Buffer.from(JSON.stringify(state));
}

function decodeState(data: Buffer | null): RoleState {
  if (data === null || data.length === 0) return { epoch: 0, holder: undefined };
  return JSON.parse(data.toString()) as RoleState;
}

/** Settles with the promise or, once aborted, at once. */
function abortable(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      signal.removeEventListener("abort", done);
      resolve();
    };
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
    void promise.then(done, done);
  });
}
