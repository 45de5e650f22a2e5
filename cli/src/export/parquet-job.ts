import { createWriteStream } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { parquetMetadata } from "hyparquet";
import { causeOf } from "../client.ts";
import { CliExit } from "../io.ts";
import { BrokenOff } from "./request.ts";

/** What a Parquet file of an export says about itself. */
export interface FileEnd {
  readonly rows: number;
  /** Where the export goes on; undefined when this was its last file. */
  readonly cursor: string | undefined;
}

/** The name of the file of a number, from 0: `logs.parquet`, `logs-2.parquet`, … */
export function fileNameOf(output: string, number: number): string {
  if (number === 0) return output;
  const { dir, name, ext } = path.parse(output);
  return path.join(dir, `${name}-${number + 1}${ext}`);
}

/** Writes a whole file, or none. Throws `BrokenOff` when the body breaks off. */
export async function takeParquet(
  output: string,
  body: AsyncIterable<Uint8Array>,
  onBytes: (count: number) => void,
): Promise<FileEnd> {
  const unfinished = `${output}.part`;
  const counted = async function* () {
    try {
      for await (const chunk of body) {
        onBytes(chunk.byteLength);
        yield chunk;
      }
    } catch (thrown) {
      throw new BrokenOff(`the export broke off: ${causeOf(thrown)}`);
    }
  };
  try {
    await pipeline(Readable.from(counted(), { objectMode: false }), createWriteStream(unfinished));
    const end = await endOf(unfinished);
    await rename(unfinished, output);
    return end;
  } catch (thrown) {
    await rm(unfinished, { force: true });
    if (thrown instanceof BrokenOff) throw thrown;
    throw new CliExit(1, `cannot write ${output}: ${(thrown as Error).message}`);
  }
}

/** The last bytes of a Parquet file: the length of its metadata, and a magic word. */
const tailBytes = 8;

/** Reads the metadata at a file's end. */
async function endOf(file: string): Promise<FileEnd> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const tail = Buffer.alloc(tailBytes);
    await handle.read(tail, 0, tailBytes, Math.max(0, size - tailBytes));
    const length = Math.min(tail.readUInt32LE(0) + tailBytes, size);
    const footer = new ArrayBuffer(length);
    await handle.read(new Uint8Array(footer), 0, length, size - length);
    const { num_rows, key_value_metadata = [] } = parquetMetadata(footer);
    const cursor = key_value_metadata.find(({ key }) => key === "logkeep.cursor")?.value;
    return { rows: Number(num_rows), cursor };
  } finally {
    await handle.close();
  }
}
