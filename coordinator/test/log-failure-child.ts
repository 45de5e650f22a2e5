// Appends to the log of a data directory until that fails, and goes on for a while. Prints what became of it.
import { join } from "node:path";

import { TxnLog } from "../src/log/txn-log.ts";
import { createTxn, entryBytes } from "./log-harness.ts";

let durable = 0;
const errors: Error[] = [];
const log = new TxnLog(join(process.argv[2] ?? "", "version-2"), {
  onDurable: (zxid) => {
    durable = zxid;
  },
  onFailed: (error) => errors.push(error),
});
const path = `/${"x".repeat(20_000)}`;
for (let counter = 1; counter <= 400; counter++) {
  const zxid = 2 ** 32 + counter;
  log.append(zxid, entryBytes(zxid, createTxn(path + counter, counter)));
  log.flush();
  // Some syncs are over before the end, however slow the disk is.
  while (counter % 10 === 0 && durable < zxid && errors.length === 0) {
    await new Promise(setImmediate);
  }
}
await log.close();
const code = (errors[0] as NodeJS.ErrnoException | undefined)?.code;
console.log(JSON.stringify({ durable, failures: errors.length, code }));
