/** About how many bytes plain data takes in memory. */
export function byteSizeOf(data: unknown): number {
  if (typeof data === "string") return 16 + 2 * data.length;
  if (typeof data !== "object" || data === null) return 8;
  if (ArrayBuffer.isView(data)) return 64 + data.byteLength;
  if (data instanceof Map) return sum([...data.keys(), ...data.values()]);
  if (data instanceof Set || Array.isArray(data)) return sum([...data]);
  return sum(Object.values(data));
}

function sum(values: readonly unknown[]): number {
  return values.reduce<number>((bytes, value) => bytes + byteSizeOf(value), 64);
}
