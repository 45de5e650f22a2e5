import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

import { silentLogger } from "../../kit/src/logger.ts";
import {
  fileHeaderRead,
  logMagic,
  logRecordOverhead,
  logRecordRead,
  logRecordWrite,
} from "../src/wire/files.ts";
import { JuteReader } from "../src/wire/reader.ts";
import { TxnEntry } from "../src/wire/txns.ts";
import { JuteWriter } from "../src/wire/writer.ts";
import { temporaryDirectory } from "./log-harness.ts";
import { fourLetters, RawClient, serve } from "./server-harness.ts";

interface Entry {
  readonly bytes: Buffer;
  /** Of the record around it. */
  readonly at: number;
}

function logEntries(dataDir: string): { readonly path: string; readonly entries: Entry[] } {
  const directory = join(dataDir, "version-2");
  const name = readdirSync(directory).find((each) => each.startsWith("log."));
  const path = join(directory, name!);
  const from = new JuteReader(readFileSync(path));
  fileHeaderRead(from, logMagic);
  const entries: Entry[] = [];
  for (let at = from.position; ; at = from.position) {
    const bytes = logRecordRead(from);
    if (bytes === undefined) return { path, entries };
    entries.push({ bytes, at });
  }
}

test("a tree that its log's digest does not fit is told of, counted, and served", async (context) => {
  const dataDir = temporaryDirectory(context);
  const first = await serve(context, { dataDir });
  const { client } = await RawClient.open(context, first.address.port);
  await client.create("/a");
  await first.close();
  const { path, entries } = logEntries(dataDir);
  const created = entries.find(({ bytes }) => bytes.includes("/a"))!;
  // The digest's last bit; the record is sealed anew, so that nothing but the digest is wrong.
  const bytes = Buffer.from(created.bytes);
  bytes[bytes.length - 1]! ^= 1;
  const record = new JuteWriter();
  logRecordWrite(record, bytes);
  assert.equal(record.length, bytes.length + logRecordOverhead);
  const file = readFileSync(path);
  record.view().copy(file, created.at);
  writeFileSync(path, file);
  const told: unknown[] = [];
  const logger = { ...silentLogger, error: (fields: unknown) => void told.push(fields) };
  const second = await serve(context, { dataDir, logger, words: ["*"] });
  assert.equal(told.length, 1);
  assert.match(JSON.stringify(told[0]), /"zxid":"0x100000002","count":1,"expected":"-?\d+"/);
  const { port } = second.address;
  assert.match(await fourLetters(port, "mntr"), /zk_digest_mismatches_count\t1\n/);
  const { client: again } = await RawClient.open(context, port);
  assert.equal(await again.create("/b"), "/b");
});

test("each txn of the log carries its digest, and none does where digests are turned off", async (context) => {
  for (const digests of [true, false]) {
    const dataDir = temporaryDirectory(context);
    const coordinator = await serve(context, { dataDir, digests });
    const { client } = await RawClient.open(context, coordinator.address.port);
    for (const path of ["/a", "/b", "/c"]) await client.create(path);
    await coordinator.close();
    const all = logEntries(dataDir).entries.map(({ bytes }) =>
      TxnEntry.read(new JuteReader(bytes)),
    );
    assert(all.length >= 4);
    for (const { digest } of all) assert.equal(digest?.version, digests ? 2 : undefined);
  }
});
