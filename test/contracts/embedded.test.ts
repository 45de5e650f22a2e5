import test from "node:test";
import { Service } from "../service.ts";
import { keepsQueryContract } from "./query-contract.ts";
import { laterRecords, manyRecords, records, streamFields } from "./query-data.ts";

test("our own segments keep the contract of queries", async (t) => {
  // The records are years old.
  const service = await Service.start({ env: { LOGKEEP_STORAGE_RETENTION_DAYS: "36500" } });
  t.after(() => service.stop());
  for (const batch of [records, laterRecords, manyRecords()]) {
    await service.ship(batch, { stream: streamFields });
  }
  await keepsQueryContract(t, service);
});
