import type { Command } from "commander";
import { registerAlerts } from "./alerts.ts";
import { registerAudit } from "./audit.ts";
import { registerBackup } from "./backup/backup.ts";
import { registerConfig } from "./config.ts";
import { registerDelete } from "./delete.ts";
import { registerExport } from "./export.ts";
import type { CliIo } from "./io.ts";
import { registerKeys } from "./keys.ts";
import { registerNode } from "./node.ts";
import { registerSearch } from "./search.ts";
import { registerShard } from "./shard.ts";
import { registerShip } from "./ship.ts";
import { registerStatus } from "./status.ts";
import { registerTail } from "./tail.ts";

/** Adds the verbs that speak HTTP to a running service; `services` adds the others. */
export function registerVerbs(program: Command, io: CliIo): void {
  registerShip(program, io);
  registerSearch(program, io);
  registerExport(program, io);
  registerTail(program, io);
  registerStatus(program, io);
  registerNode(program, io);
  registerShard(program, io);
  registerDelete(program, io);
  registerBackup(program, io);
  registerAlerts(program, io);
  registerKeys(program, io);
  registerAudit(program, io);
  registerConfig(program, io);
}
