import { opCodes } from "../wire/constants.ts";
import { ReconfigRequest } from "../wire/records.ts";
import type { Asker } from "./asker.ts";
import { ZooKeeperError } from "./errors.ts";
import type { CallOptions, WatchOptions } from "./options.ts";
import type { Session } from "./session.ts";
import type { Watching } from "./watching.ts";
import { OwnedData, type ZnodeData } from "./znode-data.ts";

const configPath = "/zookeeper/config";

/** How an ensemble is to change: by who comes and goes, or as a whole. */
export type Reconfiguration =
  | {
      /** `server.N=host:port:port[:role];[address:]clientPort` each: who joins, or changes. */
      readonly joining?: readonly string[];
      /** Ids of those who leave. */
      readonly leaving?: readonly number[];
    }
  | { readonly members: readonly string[] };

/** The ensemble itself, as its servers tell of it; beyond every chroot. */
export class Ensemble {
  readonly #session: Session;
  readonly #ask: Asker;
  readonly #watching: Watching;

  /** `ask` and `watching`: with the server's own paths. */
  constructor(session: Session, ask: Asker, watching: Watching) {
    this.#session = session;
    this.#ask = ask;
    this.#watching = watching;
  }

  /** `host:port` of the connected server, as the connect string names it; undefined without a connection. */
  get server(): string | undefined {
    const server = this.#session.server;
    return server === undefined ? undefined : `${server.host}:${server.port}`;
  }

  /** Its members, as text: a line `server.N=…` each, last `version=<hex>`. */
  config(options: WatchOptions = {}): Promise<ZnodeData> {
    return this.#watching.read(opCodes.getData, configPath, OwnedData, options, (error) =>
      error === 0 ? "data" : undefined,
    );
  }

  /**
   * Changes who its members are; resolves with the new configuration once it holds. `fromVersion` is the version that must be in
   * force. Rejects with RECONFIGDISABLED, NOAUTH, BADVERSION, NEWCONFIGNOQUORUM, RECONFIGINPROGRESS, BADARGUMENTS.
   */
  reconfigure(
    change: Reconfiguration,
    { fromVersion = -1n, ...options }: CallOptions & { readonly fromVersion?: bigint } = {},
  ): Promise<ZnodeData> {
    const all = "members" in change ? change.members : [];
    const { joining = [], leaving = [] } = "members" in change ? {} : change;
    if (all.length + joining.length + leaving.length === 0) {
      return Promise.reject(new ZooKeeperError("BADARGUMENTS", { path: configPath }));
    }
    const body = {
      joining: textOf(joining),
      leaving: textOf(leaving),
      members: textOf(all),
      fromConfig: fromVersion,
    };
    const asked = { ...options, path: configPath };
    return this.#ask.ask(opCodes.reconfig, ReconfigRequest, body, OwnedData, asked);
  }
}

/** What is not given is null, which the server tells from an empty list. */
function textOf(items: readonly (string | number)[]): string | null {
  return items.length === 0 ? null : items.join(",");
}
