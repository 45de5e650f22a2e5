import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

import { ServiceError } from "../../../kit/src/errors.ts";
import { installBegin, installFinish } from "../log/install.ts";
import { adminServer } from "./admin.ts";
import type { CoordinatorSettings } from "./options.ts";
import { CoordinatorServer } from "./server.ts";

/** A server with its admin server, which outlives it when another history is put into its directory. */
export class RunningCoordinator {
  readonly #settings: CoordinatorSettings;
  readonly #admin: Server | undefined;
  #server: CoordinatorServer;
  #restoring: Promise<void> | undefined;
  #isClosed = false;

  /** Recovers the data directory. Throws `storage.damaged` when it is not whole. */
  constructor(settings: CoordinatorSettings) {
    this.#settings = settings;
    this.#server = new CoordinatorServer(settings);
    const { admin } = settings;
    if (admin === undefined) return;
    this.#admin = adminServer(
      () => this.#server,
      admin,
      (path, zxid) => this.#restore(path, zxid),
    );
  }

  /** The one that serves; another one after a restore. */
  get server(): CoordinatorServer {
    return this.#server;
  }

  /** The address of the admin server, if there is one and it listens. */
  get adminAddress(): { readonly host: string; readonly port: number } | undefined {
    const bound = this.#admin?.address() as AddressInfo | null | undefined;
    return bound ? { host: bound.address, port: bound.port } : undefined;
  }

  async listen(): Promise<void> {
    const { admin } = this.#settings;
    await this.#server.listen();
    if (admin === undefined) return;
    this.#admin!.listen({ host: admin.host, port: admin.port });
    await once(this.#admin!, "listening");
    this.#admin!.on("error", (error) => this.#settings.fatal(error));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#admin?.close();
    this.#admin?.closeAllConnections();
    await this.#restoring?.catch(() => undefined);
    await this.#server.close();
  }

  /** As if it had been stopped, its files replaced, and started again on the same ports. */
  async #restore(path: string, zxid: number): Promise<void> {
    if (this.#isClosed || this.#restoring !== undefined) {
      throw new ServiceError("service.stopping", "the server is stopping, or being restored");
    }
    this.#restoring = this.#replace(path, zxid);
    try {
      await this.#restoring;
    } finally {
      this.#restoring = undefined;
    }
  }

  async #replace(path: string, zxid: number): Promise<void> {
    const old = this.#server;
    const { directory: snapshots, logDirectory: logs } = old.replica;
    const settings = withPortsOf(old, this.#settings);
    try {
      await old.close();
      const directories = { snapshots, logs };
      installFinish(installBegin(path, zxid, directories), directories);
      this.#server = new CoordinatorServer(settings);
      await this.#server.listen();
    } catch (thrown) {
      const error = new ServiceError("storage.failed", "the restore failed", {}, { cause: thrown });
      this.#settings.fatal(error);
      throw error;
    }
    settings.logger.info({ zxid: `0x${zxid.toString(16)}` }, "coordinator restored");
  }
}

/** A setting may say 0, for any free port. */
function withPortsOf(
  server: CoordinatorServer,
  settings: CoordinatorSettings,
): CoordinatorSettings {
  const { address, secureAddress, metricsAddress } = server;
  const { secure, metrics } = settings;
  return {
    ...settings,
    port: address.port,
    secure: secure && { ...secure, port: secureAddress?.port ?? secure.port },
    metrics: metrics && { ...metrics, port: metricsAddress?.port ?? metrics.port },
  };
}
