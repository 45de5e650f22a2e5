import { shapeFieldsMax } from "../limits.ts";

/** Where the values of the object stand that was read last, as they are written, and what they are called. */
export class LineTrace {
  /** Values so far, those past the limit included. */
  count = 0;
  /** False when not every value has a place here: what lies in the object is more than names and values. */
  isWhole = true;
  readonly nameIds = new Int32Array(shapeFieldsMax);
  /** Of a string, without its quotes. */
  readonly starts = new Uint32Array(shapeFieldsMax);
  readonly ends = new Uint32Array(shapeFieldsMax);
  readonly isText = new Uint8Array(shapeFieldsMax);

  begin(): void {
    this.count = 0;
    this.isWhole = true;
  }

  add(nameId: number, start: number, end: number, isText: boolean): void {
    const at = this.count++;
    if (at >= shapeFieldsMax) return;
    this.nameIds[at] = nameId;
    this.starts[at] = start;
    this.ends[at] = end;
    this.isText[at] = isText ? 1 : 0;
  }
}
