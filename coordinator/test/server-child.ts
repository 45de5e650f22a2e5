// A coordinator in a process of its own, for tests that kill or stop it. Prints its port once it serves.
import { startCoordinator } from "../src/server/start.ts";

const [dataDir = "", tickTimeMs = "100", snapCount = "1000"] = process.argv.slice(2);
const coordinator = await startCoordinator({
  dataDir,
  tickTimeMs: Number(tickTimeMs),
  snapCount: Number(snapCount),
  connectionsPerAddress: 0,
  fatal: (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
});
process.stdout.write(`${coordinator.address.port}\n`);
