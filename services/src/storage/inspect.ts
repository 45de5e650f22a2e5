import { CliExit, type CliIo, print } from "../../../cli/src/io.ts";
import { printCount, printSize } from "../../../cli/src/numbers.ts";
import { harmless, tableOf } from "../../../cli/src/style.ts";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import { momentPrint } from "../../../kit/src/time.ts";
import {
  describeLogFile,
  describeSegment,
  type LogDescription,
  type SegmentDescription,
} from "../../../storage/src/inspect/describe.ts";
import type { StoredFile } from "../../../storage/src/inspect/stored-files.ts";

/** Templates and blocks that a page for people shows. */
const templatesShown = 20;
const blocksShown = 50;

/** Characters of a template. */
const templateShown = 160;

/** Describes one file wholly, several as a table by shard. Throws `storage.damaged` where it cannot. */
export async function inspect(
  io: CliIo,
  files: readonly StoredFile[],
  isJson: boolean,
): Promise<void> {
  const segments = files.filter(({ kind }) => kind === "segment");
  const logs = files.filter(({ kind }) => kind === "log");
  const [segment] = segments;
  const [log] = logs;
  if (files.length === 1 && segment !== undefined) {
    const description = describeSegment(segment.path);
    return print(io.stdout, isJson ? jsonOf(description) : segmentText(description));
  }
  if (files.length === 1 && log !== undefined) {
    const description = describeLogFile(log.path);
    return print(io.stdout, isJson ? jsonOf(description) : logText(description));
  }
  const rows: string[][] = [];
  let damaged = 0;
  for (const file of files) {
    const { row, json, isDamaged } = lineOf(file);
    rows.push([...row, file.path]);
    if (isDamaged) damaged++;
    if (isJson) await print(io.stdout, jsonOf(json, 0));
  }
  const head = ["SHARD", "KIND", "LEVEL", "RECORDS", "BYTES", "OLDEST", "NEWEST", "FILE"];
  if (!isJson) await print(io.stdout, tableOf(head, rows));
  if (damaged > 0) throw new CliExit(1, `${damaged} files are damaged; verify says where`);
}

interface Line {
  readonly row: readonly string[];
  readonly json: object;
  readonly isDamaged: boolean;
}

function lineOf({ path, kind, bytes, shard }: StoredFile): Line {
  const facts = { path, kind, bytes, shard };
  try {
    if (kind === "segment") {
      const json = describeSegment(path);
      return { row: segmentRow(json), json, isDamaged: false };
    }
    if (kind === "log") {
      const json = describeLogFile(path);
      return { row: logRow(json), json, isDamaged: false };
    }
    const row = [String(shard ?? ""), kind, "", "", printSize(bytes), "", ""];
    return { row, json: facts, isDamaged: false };
  } catch (thrown) {
    // One that a running node has merged away since is no damage, and says so.
    const isDamaged = thrown instanceof ServiceError && thrown.code === "storage.damaged";
    const row = [String(shard ?? ""), kind, "", "unreadable", printSize(bytes), "", ""];
    return { row, json: { ...facts, unreadable: messageOf(thrown) }, isDamaged };
  }
}

function jsonOf(value: object, indent = 2): string {
  return `${JSON.stringify(value, undefined, indent)}\n`;
}

function segmentRow(description: SegmentDescription): string[] {
  const { shard, level, records, bytes, partitions } = description;
  const oldest = partitions.map(({ timeMin }) => momentPrint(timeMin)).sort()[0] ?? "";
  const newest =
    partitions
      .map(({ timeMax }) => momentPrint(timeMax))
      .sort()
      .at(-1) ?? "";
  const figures = [printCount(records), printSize(bytes), oldest, newest];
  return [String(shard), "segment", String(level), ...figures];
}

function logRow({ shards, bytes, end }: LogDescription): string[] {
  const records = shards.reduce((sum, each) => sum + each.records, 0);
  return ["", `log (${end})`, "", printCount(records), printSize(bytes), "", ""];
}

function segmentText(description: SegmentDescription): string {
  const { path, bytes, version, uuid, shard, epoch, level, records, rawBytes } = description;
  const { positionFrom, positionThrough, replaces, partitions, blocks } = description;
  const facts = [
    ["file", path],
    ["uuid", `${uuid}, format version ${version}`],
    ["shard", `${shard}, epoch ${epoch}, log ${positionFrom} to ${positionThrough}`],
    ["level", `${level}${replaces.length === 0 ? "" : `, merged of ${replaces.length}`}`],
    [
      "holds",
      `${printCount(records)} records, ${printSize(bytes)}, of ${printSize(rawBytes)} of values, ${printCount(blocks.length)} blocks`,
    ],
  ];
  const partitionRows = partitions.map((each) => [
    each.tenant,
    each.class,
    printCount(each.rows),
    momentPrint(each.timeMin),
    momentPrint(each.timeMax),
  ]);
  return [
    facts.map(([name, text]) => `${(name ?? "").padEnd(8)}${text}\n`).join(""),
    tableOf(["TENANT", "CLASS", "RECORDS", "OLDEST", "NEWEST"], partitionRows),
    blockTable(description),
    columnTable(description),
    templateTable(description),
  ]
    .filter((part) => part !== "")
    .join("\n");
}

function blockTable({ blocks }: SegmentDescription): string {
  const rows = blocks
    .slice(0, blocksShown)
    .map((block) => [
      String(block.ordinal),
      printCount(block.rows),
      printCount(block.streams),
      String(block.fields),
      printSize(block.bytes),
      momentPrint(block.timeMin),
      momentPrint(block.timeMax),
    ]);
  const head = ["BLOCK", "RECORDS", "STREAMS", "FIELDS", "BYTES", "OLDEST", "NEWEST"];
  return tableOf(head, rows) + rest(blocks.length, blocksShown, "blocks");
}

function columnTable({ columns, bytes }: SegmentDescription): string {
  const rows = columns.map((column) => [
    harmless(column.name),
    Object.entries(column.kinds)
      .map(([kind, count]) => `${kind} ${count}`)
      .join(", "),
    column.bytes === 0 ? "" : printSize(column.bytes),
    column.bytes === 0 ? "" : `${((100 * column.bytes) / bytes).toFixed(1)} %`,
  ]);
  return tableOf(["COLUMN", "BLOCKS BY KIND", "BYTES", "SHARE"], rows);
}

function templateTable({ templates }: SegmentDescription): string {
  if (templates.length === 0) return "";
  const rows = templates.slice(0, templatesShown).map(({ field, text, rows: count }) => {
    const cut = text.length > templateShown ? `${text.slice(0, templateShown)}…` : text;
    return [harmless(field), printCount(count), harmless(cut)];
  });
  const table = tableOf(["FIELD", "RECORDS", "TEMPLATE"], rows);
  return table + rest(templates.length, templatesShown, "templates");
}

function rest(count: number, shown: number, what: string): string {
  return count <= shown
    ? ""
    : `and ${printCount(count - shown)} more ${what}; --json has them all\n`;
}

function logText({ path, bytes, sequence, end, usedBytes, shards }: LogDescription): string {
  const rows = shards.map((each) => [
    String(each.shard),
    printCount(each.entries),
    printCount(each.records),
    `${each.positionFrom} to ${each.positionThrough}`,
    String(each.epoch),
  ]);
  const size = `${printSize(usedBytes)} of ${printSize(bytes)} in use`;
  const facts = `file     ${path}\nsequence ${sequence}, ${end}, ${size}\n\n`;
  return facts + tableOf(["SHARD", "ENTRIES", "RECORDS", "POSITIONS", "EPOCH"], rows);
}
