/** What every record has; it says least about these records. */
const ofEveryRecord: ReadonlySet<string> = new Set(["_msg", "_stream", "_time"]);

/** The records' own fields first, in the order in which they come; what every record has last. */
export function ownFirst<T extends { readonly name: string }>(fields: readonly T[]): T[] {
  return [
    ...fields.filter(({ name }) => !ofEveryRecord.has(name)),
    ...fields.filter(({ name }) => ofEveryRecord.has(name)),
  ];
}
