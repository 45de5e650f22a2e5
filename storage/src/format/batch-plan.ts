import type { ColumnBuilder, ColumnKind } from "./batch-column.ts";
import { align8, columnKind } from "./batch-layout.ts";

/** Where a column will lie, and in which kind. */
export interface ColumnPlan {
  readonly kind: ColumnKind;
  readonly count: number;
  readonly offsetsAt: number;
  readonly bytesAt: number;
  readonly bytesLength: number;
  readonly indexAt: number;
  readonly rowCount: number;
}

/** Where everything of a batch will lie. */
export interface BatchPlan {
  readonly nsAt: number;
  readonly streamWidth: number;
  readonly streamCodesAt: number;
  readonly streamsAt: number;
  readonly directoryAt: number;
  readonly namesAt: number;
  readonly namesLength: number;
  readonly names: readonly Buffer[];
  readonly columns: readonly ColumnPlan[];
  readonly byteLength: number;
}

/** Hands out 8-aligned places one after the other. */
export class Places {
  end: number;

  constructor(start: number) {
    this.end = start;
  }

  take(length: number): number {
    const place = this.end;
    this.end = align8(place + length);
    return place;
  }
}

/** Chooses the column's kind and place. */
export function planColumn(column: ColumnBuilder, rowCount: number, place: Places): ColumnPlan {
  const kind = column.kindFor(rowCount);
  const count = column.countFor(kind, rowCount);
  const bytesLength = column.bytesLengthFor(kind);
  const offsetsAt = kind === columnKind.const ? 0 : place.take((count + 1) * 4);
  let indexAt = 0;
  if (kind === columnKind.dict) indexAt = place.take(rowCount);
  else if (kind === columnKind.sparse) indexAt = place.take(count * 2);
  return {
    kind,
    count,
    offsetsAt,
    indexAt,
    bytesAt: place.take(bytesLength),
    bytesLength,
    rowCount,
  };
}

/** Writes the column where it was planned. */
export function writeColumn(out: Buffer, column: ColumnBuilder, plan: ColumnPlan): void {
  const bytes = out.subarray(plan.bytesAt, plan.bytesAt + plan.bytesLength);
  if (plan.kind === columnKind.const) {
    column.writeConst(bytes);
    return;
  }
  const { buffer, byteOffset } = out;
  const offsets = new Uint32Array(buffer, byteOffset + plan.offsetsAt, plan.count + 1);
  const indexAt = byteOffset + plan.indexAt;
  switch (plan.kind) {
    case columnKind.rows:
      column.writeRows(offsets, bytes);
      break;
    case columnKind.dict:
      column.writeDict(offsets, bytes, new Uint8Array(buffer, indexAt, plan.rowCount));
      break;
    case columnKind.sparse:
      column.writeSparse(new Uint16Array(buffer, indexAt, plan.count), offsets, bytes);
      break;
  }
}
