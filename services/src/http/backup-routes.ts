import { pipeline } from "node:stream/promises";
import type { BackupService } from "../backup/backup-service.ts";
import type { App } from "./app.ts";

/** `/api/v1/backup`: begins a cut of all shards, gives its files, ends it. */
export function mountBackup(app: App, backups: BackupService): void {
  app.mount("post", "/api/v1/backup", "admin", async (_, response) => {
    response.status(201).json(await backups.start());
  });
  app.mount("get", "/api/v1/backup/:id/files/:shard/:file", "admin", async (request, response) => {
    const { id, shard, file } = request.params;
    const opened = backups.open(String(id), `${String(shard)}/${String(file)}`);
    const { bytes, done } = opened;
    try {
      response.setHeader("Content-Type", "application/octet-stream");
      response.setHeader("Content-Length", bytes);
      await pipeline(opened.read(), response);
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
