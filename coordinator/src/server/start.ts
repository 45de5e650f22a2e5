import { type CoordinatorStats, statsOf } from "./coordinator-stats.ts";
import { type CoordinatorOptions, settingsOf } from "./options.ts";
import { RunningCoordinator } from "./running-coordinator.ts";
import type { CoordinatorServer } from "./server.ts";

export type { AvailabilityFigures } from "./availability-keeper.ts";
export type { CoordinatorStats } from "./coordinator-stats.ts";
export type { PropagationFigures } from "./ensemble-figures.ts";
export type { CoordinatorOptions } from "./options.ts";

/** A coordinator that serves. */
export interface Coordinator {
  readonly address: { readonly host: string; readonly port: number };
  /** Where it speaks TLS, if it does. */
  readonly secureAddress: { readonly host: string; readonly port: number } | undefined;
  /** Where `/commands` are answered over HTTP, if they are. */
  readonly adminAddress: { readonly host: string; readonly port: number } | undefined;
  /** Where `/metrics` is answered over HTTP, if it is. */
  readonly metricsAddress: { readonly host: string; readonly port: number } | undefined;
  /** Stops serving and puts on disk what is under way. Sessions and their ephemerals live on in the data directory. */
  close(): Promise<void>;
  stats(): CoordinatorStats;
  /** What it is in its ensemble now, as ZooKeeper names it. */
  readonly mode: CoordinatorServer["mode"];
}

/**
 * Recovers the data directory and serves ZooKeeper clients; resolves once it does. Throws
 * `storage.damaged` when the directory is not whole, `config.invalid` for an option out of range, and
 * the system's error when it cannot listen.
 */
export async function startCoordinator(options: CoordinatorOptions): Promise<Coordinator> {
  const running = new RunningCoordinator(settingsOf(options));
  try {
    await running.listen();
  } catch (thrown) {
    await running.close();
    throw thrown;
  }
  const { adminAddress } = running;
  const { address, secureAddress, metricsAddress } = running.server;
  return {
    address,
    secureAddress,
    adminAddress,
    metricsAddress,
    close: () => running.close(),
    stats: () => statsOf(running.server),
    get mode() {
      return running.server.mode;
    },
  };
}
