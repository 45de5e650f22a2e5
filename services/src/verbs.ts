import type { Command } from "commander";
import { registerVerbs } from "../../cli/src/cli.ts";
import type { CliIo } from "../../cli/src/io.ts";
import { registerZk } from "../../cli/src/zk.ts";
import { registerCoordinator } from "./coordinator-verb.ts";
import { registerRestore } from "./restore-verb.ts";
import { registerStart } from "./start-verb.ts";
import { registerStorage } from "./storage-verb.ts";

/** Adds every verb. */
export function registerAll(program: Command, io: CliIo): void {
  registerVerbs(program, io);
  registerStart(program, io);
  registerRestore(program, io);
  registerCoordinator(program, io);
  registerStorage(program, io);
  registerZk(program, io);
}
