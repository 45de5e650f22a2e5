import { type Codec, int, record } from "../wire/codec.ts";
import { addWatchModes, opCodes, watcherTypes } from "../wire/constants.ts";
import * as records from "../wire/records.ts";
import type { Asker } from "./asker.ts";
import { isZooKeeperError } from "./errors.ts";
import { EventStream } from "./event-stream.ts";
import { changesWaitingMax } from "./limits.ts";
import type { CallOptions, ChangesOptions, Watch, WatchOptions } from "./options.ts";
import type { Chroot } from "./paths.ts";
import type { Session } from "./session.ts";
import type { OneShotKind, PersistentKind, WatchEvent, Watcher, WatchKind } from "./watches.ts";

const Empty: Codec<undefined> = { read: () => undefined, write: () => undefined };
const AddWatchResponse = record({ error: int });

/** Reads that watch, and watches that stay. */
export class Watching {
  readonly #session: Session;
  readonly #chroot: Chroot;
  readonly #ask: Asker;

  constructor(session: Session, chroot: Chroot, ask: Asker) {
    this.#session = session;
    this.#chroot = chroot;
    this.#ask = ask;
  }

  /** `watched`: what kind of watch the server has set, by the error it answered. */
  async read<A>(
    op: number,
    path: string,
    answer: Codec<A>,
    options: WatchOptions,
    watched: (error: number) => OneShotKind | undefined,
  ): Promise<A> {
    const { watch, watchSignal } = options;
    const body = { path, watch: watch !== undefined };
    if (watch === undefined) return this.#ask.at(op, records.WatchedRequest, body, answer, options);
    const outer = this.#chroot.outer(path);
    const watcher = this.#inner(watch);
    const onReply = (error: number): void => {
      const kind = watched(error);
      if (kind === undefined || watchSignal?.aborted === true) return;
      if (watchSignal === undefined) this.#session.watches.add(kind, outer, watcher);
      else this.#addUntil(watchSignal, kind, path, watcher);
    };
    const settled = this.#session.watches.expect(outer);
    const asked = { ...options, onReply };
    return this.#ask.at(op, records.WatchedRequest, body, answer, asked).finally(settled);
  }

  async add(
    path: string,
    mode: PersistentKind,
    watcher: Watcher,
    options: CallOptions,
  ): Promise<Watch> {
    const outer = this.#chroot.outer(path);
    const inner = this.#inner(watcher);
    const body = { path, mode: addWatchModes[mode] };
    const onReply = (error: number): void => {
      if (error === 0) this.#session.watches.add(mode, outer, inner);
    };
    const settled = this.#session.watches.expect(outer);
    const asked = { ...options, onReply };
    await this.#ask
      .at(opCodes.addWatch, records.AddWatchRequest, body, AddWatchResponse, asked)
      .finally(settled);
    return { close: () => this.#remove(mode, path, inner) };
  }

  /** Begins with `missed`, once the watch is set. */
  async changes(
    path: string,
    { mode = "persistent", ...options }: ChangesOptions,
  ): Promise<AsyncIterableIterator<WatchEvent, undefined>> {
    const missed: WatchEvent = { kind: "missed", path, zxid: undefined };
    const stream = new EventStream<WatchEvent>({
      max: changesWaitingMax,
      overflow: () => [missed],
      left: () => {
        stopListening();
        void watching.then(
          (watch) => watch.close(),
          () => undefined,
        );
      },
    });
    const stopListening = this.#session.listen(({ kind }) => {
      if (kind === "closed") stream.end();
    });
    stream.push(missed);
    const watching = this.add(path, mode, (event) => stream.push(event), options);
    try {
      await watching;
    } catch (thrown) {
      stream.end();
      throw thrown;
    }
    stream.endWith(options.signal);
    return stream;
  }

  #inner(watcher: Watcher): Watcher {
    return (event) => watcher({ ...event, path: this.#chroot.inner(event.path) });
  }

  #addUntil(signal: AbortSignal, kind: OneShotKind, path: string, watcher: Watcher): void {
    const abort = (): void => void this.#remove(kind, path, once);
    const once: Watcher = (event) => {
      signal.removeEventListener("abort", abort);
      watcher(event);
    };
    signal.addEventListener("abort", abort, { once: true });
    this.#session.watches.add(kind, this.#chroot.outer(path), once);
  }

  async #remove(kind: WatchKind, path: string, watcher: Watcher): Promise<void> {
    const { watches } = this.#session;
    const { wasThere, isPathWatched } = watches.remove(kind, this.#chroot.outer(path), watcher);
    // The request takes every watch of the path away, so while there are others the server's stays.
    if (!wasThere || isPathWatched || this.#session.isClosed) return;
    const body = { path, type: watcherTypes.any };
    try {
      await this.#ask.at(opCodes.removeWatches, records.WatcherRequest, body, Empty, {});
    } catch (thrown) {
      // Gone with its connection, or never set on this one: then there is nothing to remove.
      if (!isZooKeeperError(thrown)) throw thrown;
    }
  }
}
