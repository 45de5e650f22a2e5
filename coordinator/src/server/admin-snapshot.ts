import { createReadStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import { zxidText } from "../core/zxid.ts";
import { snapshotName } from "../log/files.ts";
import { snapshotFileCheck, snapshotFileTake } from "../log/snapshot-file.ts";
import { isAllowed } from "../tree/acl.ts";
import { rootId } from "../tree/znodes.ts";
import { perms } from "../wire/constants.ts";
import { idsProved } from "./auth.ts";
import { imageBytesMax } from "./limits.ts";
import type { AdminOptions } from "./options.ts";
import type { CoordinatorServer } from "./server.ts";

/** Puts a checked snapshot file in place of everything, and serves again. */
export type Restore = (path: string, zxid: number) => Promise<void>;

/** A status with the fields of its JSON; undefined when the answer is on its way. */
export type SnapshotAnswer =
  | { readonly status: number; readonly fields: Readonly<Record<string, unknown>> }
  | undefined;

/**
 * `snapshot` and `restore` of ZooKeeper's admin server (3.9): for who proves an identity that has every right on the
 * root, each once in `rateMs` at most.
 */
export class SnapshotCommands {
  readonly #server: () => CoordinatorServer;
  readonly #options: AdminOptions;
  readonly #restore: Restore;
  #snapshotMs = -Infinity;
  #restoreMs = -Infinity;

  constructor(server: () => CoordinatorServer, options: AdminOptions, restore: Restore) {
    this.#server = server;
    this.#options = options;
    this.#restore = restore;
  }

  /** Takes a snapshot on disk, and sends it unless `streaming=false`. */
  async snapshot(
    request: IncomingMessage,
    response: ServerResponse,
    streaming: boolean,
  ): Promise<SnapshotAnswer> {
    const server = this.#server();
    const refused = this.#refusal(server, request, this.#options.snapshotEnabled);
    if (refused !== undefined) return refused;
    if (this.#isTooSoon(this.#snapshotMs)) return failed(429, "a snapshot was taken not long ago");
    this.#snapshotMs = this.#nowMs;
    const zxid = await server.replica.snapshotTake();
    if (zxid === undefined) return failed(500, "the snapshot failed, or was given up");
    const path = join(server.replica.directory, snapshotName(zxid));
    const { size } = await stat(path);
    const headers = { last_zxid: zxidText(zxid), snapshot_size: String(size) };
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (!streaming) return { status: 200, fields: {} };
    response.writeHead(200, {
      "content-type": "application/octet-stream",
      "content-length": size,
      "cache-control": "no-store",
    });
    await pipeline(createReadStream(path), response);
    return undefined;
  }

  /** Takes a snapshot file, and serves what it holds from then on, once it is whole and checked. */
  async restore(request: IncomingMessage): Promise<SnapshotAnswer> {
    const server = this.#server();
    const refused = this.#refusal(server, request, this.#options.restoreEnabled);
    if (refused !== undefined) return refused;
    if (server.replica.isEnsemble) {
      const message =
        "a member of an ensemble is not restored by itself: the others would give it their history again";
      return failed(501, message);
    }
    if (this.#isTooSoon(this.#restoreMs))
      return failed(429, "a restore was asked for not long ago");
    this.#restoreMs = this.#nowMs;
    const path = await snapshotFileTake(server.replica.directory, request, imageBytesMax);
    try {
      const zxid = snapshotFileCheck(path);
      await this.#restore(path, zxid);
      return { status: 200, fields: { last_zxid: zxid } };
    } catch (thrown) {
      await rm(path, { force: true });
      if (!(thrown instanceof ServiceError)) throw thrown;
      return failed(thrown.code === "storage.damaged" ? 400 : 500, messageOf(thrown));
    }
  }

  #refusal(
    server: CoordinatorServer,
    request: IncomingMessage,
    isEnabled: boolean | undefined,
  ): SnapshotAnswer {
    if (isEnabled === false) return failed(503, "the command is disabled");
    if (!server.isAnswering) return failed(503, "this server is not currently serving requests");
    const { authorization } = request.headers;
    if (authorization === undefined) return failed(401, "Auth info is missing for the command");
    const [scheme = "", credentials = "", ...rest] = authorization.split(" ");
    const proved =
      rest.length > 0
        ? undefined
        : idsProved(scheme, Buffer.from(credentials), {
            superDigest: server.settings.superDigest,
            address: (request.socket.remoteAddress ?? "").replace(/^::ffff:/, ""),
            certificateIds: [],
          });
    if (proved === undefined) return failed(401, "Not authenticated");
    const { znodes, acls } = server.replica.tree;
    const acl = acls.list(znodes.acl(rootId));
    const each = [perms.read, perms.write, perms.create, perms.delete, perms.admin];
    if (each.every((perm) => isAllowed(acl, perm, proved))) return undefined;
    return failed(403, "Not authorized");
  }

  #isTooSoon(lastMs: number): boolean {
    return this.#nowMs - lastMs < (this.#options.rateMs ?? rateMsDefault);
  }

  get #nowMs(): number {
    return this.#server().settings.clock.monotonicMs();
  }
}

/** Apache's `admin.rateLimiterIntervalInMS`. */
const rateMsDefault = 300_000;

function failed(status: number, error: string): SnapshotAnswer {
  return { status, fields: { error } };
}
