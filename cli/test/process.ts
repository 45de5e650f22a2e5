import { registerVerbs } from "../src/cli.ts";
import type { CliIo } from "../src/io.ts";
import { programOf, runCli } from "../src/program.ts";

// The command line as a process of its own, for tests that kill it.
const io: CliIo = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  isTTY: false,
  signal: new AbortController().signal,
};
const program = programOf(io);
registerVerbs(program, io);
process.exitCode = await runCli(program, process.argv.slice(2), io);
