import { CliExit, type CliIo, print } from "../../../cli/src/io.ts";
import { encodeNdjson } from "../../../query/src/table/ndjson.ts";
import { View } from "../../../query/src/table/view.ts";
import type { StoredFile } from "../../../storage/src/inspect/stored-files.ts";
import { type RecordChoice, storedRecords } from "../../../storage/src/inspect/stored-records.ts";

export type DumpChoice = RecordChoice;

/** Bytes of lines that are made at a time. */
const pieceBytes = 1 << 20;

/** Prints records as search prints them, while whoever reads keeps up. Throws `storage.damaged`. */
export async function dump(
  io: CliIo,
  files: readonly StoredFile[],
  choice: DumpChoice,
): Promise<void> {
  for (const { block, rows } of storedRecords(files, choice)) {
    const view = View.records(block);
    for (let at = 0; at < rows.length; ) {
      const { bytes, offsets } = encodeNdjson(view, rows.subarray(at), pieceBytes);
      at += offsets.length - 1;
      await print(io.stdout, bytes);
      if (io.signal.aborted) throw new CliExit(1, "interrupted");
      if (io.stdout.destroyed || io.stdout.writableEnded) return;
    }
  }
}
