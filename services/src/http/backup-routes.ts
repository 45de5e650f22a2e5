import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import type { BackupService } from "../backup/backup-service.ts";
import type { App } from "./app.ts";

/** Bytes that are read at a time: long enough for a disk, short enough for its other readers. */
const readBytes = 256 * 1024;

/** `/api/v1/backup`: begins a cut of all shards, gives its files, ends it. */
export function mountBackup(app: App, backups: BackupService): void {
  app.mount("post", "/api/v1/backup", "admin", async (_, response) => {
    response.status(201).json(await backups.start());
  });
  app.mount("get", "/api/v1/backup/:id/files/:shard/:file", "admin", async (request, response) => {
    const { id, shard, file } = request.params;
    const { path, bytes, done } = backups.open(String(id), `${String(shard)}/${String(file)}`);
    try {
      response.setHeader("Content-Type", "application/octet-stream");
      response.setHeader("Content-Length", bytes);
      // At most so much, should the file be longer than the manifest says.
      const end = Math.max(0, bytes - 1);
      if (bytes === 0) response.end();
      else await pipeline(createReadStream(path, { end, highWaterMark: readBytes }), response);
    } catch (thrown) {
      // The answer has begun: what is broken off tells the client.
      if (!response.headersSent) throw thrown;
      response.destroy();
    } finally {
      done();
    }
  });
  app.mount("delete", "/api/v1/backup/:id", "admin", (request, response) => {
    backups.release(String(request.params["id"]));
    response.status(204).end();
  });
}
