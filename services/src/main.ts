import { readFileSync } from "node:fs";
import path from "node:path";
import { buildCli, runCli } from "../../cli/src/cli.ts";
import type { CliIo } from "../../cli/src/io.ts";
import { registerZk } from "../../cli/src/zk.ts";
import { armCrashPoint } from "../../kit/src/crash-point.ts";
import { registerCoordinator } from "./coordinator-verb.ts";
import { registerStart } from "./start-verb.ts";

// The bin: the one place that reads the environment, catches signals and ends the process.

/** Nearest `package.json` of the product: above `services/src`, or above `dist/services/src`. */
function versionOf(): string {
  let folder = import.meta.dirname;
  for (;;) {
    try {
      const text = readFileSync(path.join(folder, "package.json"), "utf8");
      const { name, version } = JSON.parse(text) as { name: string; version: string };
      if (name === "logkeep") return version;
    } catch {
      // Not in this folder.
    }
    if (path.dirname(folder) === folder) return "unknown";
    folder = path.dirname(folder);
  }
}

armCrashPoint(process.env["LOGKEEP_CRASH_AT"] ?? "");

const interrupt = new AbortController();
let signals = 0;
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    signals++;
    interrupt.abort(name);
    // Who asks a second time does not want to wait; what was acknowledged is on disk already.
    if (signals > 1) process.exit(1);
  });
}

const io: CliIo = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  isTTY: process.stdout.isTTY === true,
  isErrTTY: process.stderr.isTTY === true,
  columns: process.stdout.columns,
  signal: interrupt.signal,
  version: versionOf(),
};

const program = buildCli(io);
registerStart(program, io);
registerCoordinator(program, io);
registerZk(program, io);
process.exitCode = await runCli(program, process.argv.slice(2), io);
// Sockets that a peer keeps half open must not keep the process.
if (signals > 0 || process.exitCode !== 0) process.exit();
