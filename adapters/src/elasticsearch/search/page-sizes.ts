import { pageRowsMax, pageRowsMin } from "./limits.ts";

/** How many documents to ask for at a time, when so many records are wanted. */
export class PageSizes {
  #next: number;

  /** `isExact`: whether each document is a record that matches; else more are asked for, and then more. */
  constructor(wanted: number | undefined, isExact: boolean) {
    const rows = wanted ?? pageRowsMax;
    this.#next = bounded(isExact ? rows : Math.max(2 * rows, pageRowsMin));
  }

  next(): number {
    const size = this.#next;
    this.#next = bounded(2 * size);
    return size;
  }
}

function bounded(rows: number): number {
  return Math.min(pageRowsMax, Math.max(1, rows));
}
