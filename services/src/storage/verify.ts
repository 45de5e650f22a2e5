import { CliExit, type CliIo, print } from "../../../cli/src/io.ts";
import { printCount, printSize } from "../../../cli/src/numbers.ts";
import { styleOf } from "../../../cli/src/style.ts";
import type { StoredFile } from "../../../storage/src/inspect/stored-files.ts";
import { type Finding, type Verified, verifyFiles } from "../../../storage/src/inspect/verify.ts";

/** How often progress is drawn. */
const progressMs = 200;

/** Checks files and prints what is wrong with them; throws an exit of 1 when something is. */
export async function verify(
  io: CliIo,
  files: readonly StoredFile[],
  { isJson, isLive }: { readonly isJson: boolean; readonly isLive: boolean },
): Promise<void> {
  const style = styleOf(io, io.isTTY);
  const totalBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const done = { files: 0, bytes: 0, records: 0, recordsDamaged: 0, gone: 0, damaged: 0 };
  let drawnMs = 0;
  for (const verified of verifyFiles(files, isLive)) {
    done.files++;
    done.bytes += verified.file.bytes;
    done.records += verified.records;
    done.recordsDamaged += verified.recordsDamaged;
    if (verified.isGone) done.gone++;
    if (verified.findings.length > 0) done.damaged++;
    if (isJson) await print(io.stdout, linesOfJson(verified));
    else await print(io.stdout, linesOf(verified, style.red("damaged")));
    const nowMs = performance.now();
    if (io.isErrTTY === true && nowMs - drawnMs > progressMs) {
      drawnMs = nowMs;
      const share = `${printSize(done.bytes)} of ${printSize(totalBytes)}`;
      await print(io.stderr, `\r\x1b[K${done.files} of ${files.length} files, ${share}`);
    }
    // Others get their turn, an interrupt among them.
    await new Promise((resolve) => setImmediate(resolve));
    if (io.signal.aborted) throw new CliExit(1, "interrupted; not everything was checked");
  }
  if (io.isErrTTY === true) await print(io.stderr, "\r\x1b[K");
  const gone = done.gone === 0 ? "" : `, ${printCount(done.gone)} deleted meanwhile`;
  const summary = `${printCount(done.files)} files, ${printSize(done.bytes)}, ${printCount(done.records)} records${gone}`;
  if (done.damaged > 0) {
    const files = done.damaged === 1 ? "1 file is" : `${printCount(done.damaged)} files are`;
    const inDamage = `${printCount(done.recordsDamaged)} of the records lie in damaged blocks or entries`;
    throw new CliExit(1, `${files} damaged; looked at ${summary}; ${inDamage}`);
  }
  if (!isJson) await print(io.stdout, `${style.green("whole")}: ${summary}\n`);
}

function linesOf({ file, findings, note }: Verified, mark: string): string {
  const lines = findings.map((finding) => {
    return `${mark} ${file.path}: ${placeOf(finding)}${finding.reason}\n`;
  });
  if (note !== undefined) lines.push(`note ${file.path}: ${note}\n`);
  return lines.join("");
}

function placeOf({ block, column, offset, shard }: Finding): string {
  const parts = [
    ...(block === undefined ? [] : [`block ${block}`]),
    ...(column === undefined ? [] : [column]),
    ...(offset === undefined ? [] : [`offset ${offset}`]),
    ...(shard === undefined ? [] : [`shard ${shard}`]),
  ];
  return parts.length === 0 ? "" : `${parts.join(", ")}: `;
}

function linesOfJson({ file, ...verified }: Verified): string {
  const { path, kind, bytes } = file;
  return `${JSON.stringify({ file: path, kind, bytes, ...verified })}\n`;
}
