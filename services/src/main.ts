import { readFileSync } from "node:fs";
import path from "node:path";
import type { CliIo } from "../../cli/src/io.ts";
import { programOf, runCli } from "../../cli/src/program.ts";
import { armCrashPoint } from "../../kit/src/crash-point.ts";
import { registerCoordinator } from "./coordinator-verb.ts";

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

const args = process.argv.slice(2);
const program = programOf(io);
// What runs for long loads nothing of the rest: for a coordinator, that is half of its memory and of its start.
if (args[0] === "coordinator") registerCoordinator(program, io);
else if (args[0] === "start") (await import("./start-verb.ts")).registerStart(program, io);
else (await import("./verbs.ts")).registerAll(program, io);
process.exitCode = await runCli(program, args, io);
// Sockets that a peer keeps half open must not keep the process.
if (signals > 0 || process.exitCode !== 0) process.exit();
