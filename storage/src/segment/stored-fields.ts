import type { StoredField } from "../../../kit/src/block.ts";

/** What a block tells of its bytes. */
export interface BlockSizes {
  readonly fieldNames: readonly string[];
  readonly meta: { readonly byteLength: number; readonly header: { readonly length: number } };
  kindOf(field: string): string | undefined;
  storedBytes(): ReadonlyMap<string, number>;
}

/** What rows have besides their fields, by the name that `storedBytes` gives it. */
const rowsName = "_time, _stream, positions";

/**
 * What each field takes of the bytes of its block, whole numbers. The variables of templates are columns of their own that
 * no header lists: fields with templates share what is left, by the size of their templates.
 */
export function storedFieldsOf(block: BlockSizes): ReadonlyMap<string, StoredField> {
  const sizes = block.storedBytes();
  const fields = new Map<string, StoredField>();
  fields.set("_time", { valueBytes: Math.round(sizes.get(rowsName) ?? 0), filterBytes: 0 });
  const told = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
  const { byteLength, header } = block.meta;
  const left = sizes.size === 0 ? 0 : Math.max(0, byteLength - header.length - told);
  const ofTemplates = block.fieldNames.filter((name) => block.kindOf(name) === "templates");
  const templates = ofTemplates.reduce((sum, name) => sum + (sizes.get(name) ?? 0), 0);
  for (const name of block.fieldNames) {
    const own = sizes.get(name) ?? 0;
    const share = templates > 0 && ofTemplates.includes(name) ? own / templates : 0;
    fields.set(name, {
      valueBytes: Math.round(own + share * left),
      filterBytes: Math.round(sizes.get(`${name}, filter`) ?? 0),
    });
  }
  return fields;
}
