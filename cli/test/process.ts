import { buildCli, runCli } from "../src/cli.ts";
import type { CliIo } from "../src/io.ts";

// The command line as a process of its own, for tests that kill it.
const io: CliIo = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  isTTY: false,
  signal: new AbortController().signal,
};
process.exitCode = await runCli(buildCli(io), process.argv.slice(2), io);
