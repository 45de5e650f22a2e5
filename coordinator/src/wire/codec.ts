import { JuteReader } from "./reader.ts";
import { JuteWriter } from "./writer.ts";

/** Reads and writes values of one type; reading throws a `WireError`. */
export interface Codec<T> {
  read(from: JuteReader): T;
  write(to: JuteWriter, value: T): void;
}

/** The type that a codec carries. */
export type Of<C> = C extends Codec<infer T> ? T : never;

export const byte: Codec<number> = {
  read: (from) => from.byte(),
  write: (to, value) => to.byte(value),
};

export const boolean: Codec<boolean> = {
  read: (from) => from.boolean(),
  write: (to, value) => to.boolean(value),
};

export const int: Codec<number> = {
  read: (from) => from.int(),
  write: (to, value) => to.int(value),
};

/** Half of a long, without its sign. */
export const uint: Codec<number> = {
  read: (from) => from.uint(),
  write: (to, value) => to.uint(value),
};

/** Signed, as Java's long: a zxid is never negative, a session id may be. */
export const long: Codec<bigint> = {
  read: (from) => from.long(),
  write: (to, value) => to.long(value),
};

/** A long that is a safe integer: a zxid or a time. */
export const longNumber: Codec<number> = {
  read: (from) => from.longNumber(),
  write: (to, value) => to.longNumber(value),
};

export const string: Codec<string> = {
  read: (from) => from.string(),
  write: (to, value) => to.string(value),
};

export const stringOrNull: Codec<string | null> = {
  read: (from) => from.stringOrNull(),
  write: (to, value) => to.stringOrNull(value),
};

/** Null and empty differ on the wire and in a znode. What is read is a view of the input. */
export const buffer: Codec<Uint8Array | null> = {
  read: (from) => from.buffer(),
  write: (to, value) => to.buffer(value),
};

export function vector<T>(item: Codec<T>): Codec<readonly T[]> {
  return {
    read: (from) => {
      const items: T[] = [];
      for (let left = from.vectorLength(); left > 0; left--) items.push(item.read(from));
      return items;
    },
    write: (to, value) => {
      to.int(value.length);
      for (const one of value) item.write(to, one);
    },
  };
}

/** The record whose fields follow each other in the order of the object's keys. */
export function record<F extends Readonly<Record<string, Codec<unknown>>>>(
  fields: F,
): Codec<{ readonly [K in keyof F]: Of<F[K]> }> {
  type Value = { readonly [K in keyof F]: Of<F[K]> };
  const entries = Object.entries(fields);
  return {
    read: (from) => {
      const value: Record<string, unknown> = {};
      for (const [name, field] of entries) value[name] = field.read(from);
      return value as Value;
    },
    write: (to, value) => {
      for (const [name, field] of entries) field.write(to, value[name]);
    },
  };
}

/** The bytes of one value. */
export function encode<T>(codec: Codec<T>, value: T): Buffer {
  const writer = new JuteWriter();
  codec.write(writer, value);
  return writer.copy();
}

/** The one value that these bytes are; throws a `WireError` when they are less or more. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const reader = new JuteReader(bytes);
  const value = codec.read(reader);
  reader.end();
  return value;
}
