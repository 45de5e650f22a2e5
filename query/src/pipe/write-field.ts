import type { Column } from "../../../kit/src/block.ts";
import { constColumn } from "../table/column.ts";
import type { View } from "../table/view.ts";
import { overlay } from "./overlay.ts";
import type { RowPipe, Rows } from "./pipe.ts";

export interface WriteRules {
  readonly keepOriginal: boolean;
  readonly skipEmpty: boolean;
}

/** The rows that a pipe's `if (…)` leaves; all without one. */
export function rowsToUpdate(input: Rows, condition: RowPipe | undefined): Uint32Array {
  return condition?.apply(input).rows ?? input.rows;
}

/**
 * The view with a field written at the rows `updated` of `rows`; `result` undefined: it becomes empty there. Other rows keep
 * what they have, as do rows that the rules spare.
 */
export function writeField(
  view: View,
  field: string,
  result: Column | undefined,
  to: { readonly rows: Uint32Array; readonly updated: Uint32Array; readonly rules: WriteRules },
): View {
  const { rows, updated, rules } = to;
  const { keepOriginal, skipEmpty } = rules;
  const update = result ?? constColumn("");
  if (!keepOriginal && !skipEmpty && updated.length === rows.length) {
    return view.with(field, update);
  }
  const when = (oldIsEmpty: boolean, newIsEmpty: boolean) =>
    !(keepOriginal && !oldIsEmpty) && !(skipEmpty && newIsEmpty);
  const original = view.column(field);
  return view.with(
    field,
    overlay(original, update, { rowCount: view.rowCount, rows, updated, when }),
  );
}

export const overwrite: WriteRules = { keepOriginal: false, skipEmpty: false };
