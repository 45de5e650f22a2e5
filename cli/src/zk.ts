import { type Command, InvalidArgumentError } from "commander";

import type { CliIo } from "./io.ts";
import { registerZkChanges } from "./zk-changes.ts";
import { registerZkReads } from "./zk-reads.ts";
import { withClient, type ZkOptions, type ZkVerbs } from "./zk-verbs.ts";

/** Adds `zk`, a shell's ZooKeeper client. */
export function registerZk(program: Command, io: CliIo): void {
  // The program's own `--version` is not to take a verb's, which means that of a znode.
  program.enablePositionalOptions();
  const zk = program
    .command("zk")
    .description("read and change znodes of any ZooKeeper-compatible ensemble")
    .option("--server <list>", "HOST:PORT[,HOST:PORT…][/CHROOT]", "127.0.0.1:2181")
    .option("--auth <user:password>", "a digest identity; may be repeated", collect)
    .option("--timeout <seconds>", "how long to wait for a connection and an answer", seconds, 10)
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      `
Examples:
  logkeep zk ls /
  logkeep zk create /app 'Hello, World!'
  logkeep zk --server zk1:2181,zk2:2181 get /app --stat
  logkeep zk multi 'check /app 0' 'set /app 0 bye' 'create /app/log'
  logkeep zk 4lw srvr`,
    );
  const verbs: ZkVerbs = {
    io,
    options: () => zk.opts<ZkOptions>(),
    withClient: (use) => withClient(zk.opts<ZkOptions>(), io, use),
  };
  registerZkReads(zk, verbs);
  registerZkChanges(zk, verbs);
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  if (!value.includes(":")) throw new InvalidArgumentError("It is user:password.");
  return [...(before ?? []), value];
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 3600)) throw new InvalidArgumentError("It is a number of seconds.");
  return value;
}
