import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { segmentFileReader } from "../../src/replication/segment-files.ts";

test("parts of sealed files are read, short only at the end, and nothing but sealed files", async () => {
  const directory = mkdtempSync(join(tmpdir(), "logkeep-segment-files-"));
  try {
    const shard = join(directory, "0");
    const read = segmentFileReader((id) => (id === 0 ? shard : undefined));
    assert.equal(await read({ shard: 0, file: "1-a", offset: 0, length: 4 }), undefined);
    const inner = segmentFileReader(() => directory);
    writeFileSync(join(directory, "1-a"), "0123456789");
    writeFileSync(join(directory, "1-b.part"), "draft");
    writeFileSync(join(directory, "checkpoint-1.bin"), "checkpoint");
    const text = async (file: string, offset: number, length: number) =>
      String(await inner({ shard: 0, file, offset, length }));
    assert.equal(await text("1-a", 2, 3), "234");
    assert.equal(await text("1-a", 8, 100), "89");
    assert.equal(await text("1-a", 20, 5), "");
    assert.equal(await text("checkpoint-1.bin", 0, 5), "check");
    for (const file of ["1-b.part", "../secret", "..", ".", "a/b", "/etc/passwd", ""]) {
      assert.equal(await inner({ shard: 0, file, offset: 0, length: 4 }), undefined, file);
    }
    assert.equal(await read({ shard: 7, file: "1-a", offset: 0, length: 4 }), undefined);
    await assert.rejects(
      segmentFileReader(() => "/dev/null")({
        ...{ shard: 0, file: "1-a", offset: 0, length: 4 },
      }),
      { code: "storage.failed" },
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});
