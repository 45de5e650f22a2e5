import type { Codec } from "../wire/codec.ts";
import { DataResponse, type Stat } from "../wire/records.ts";

/** What a znode holds; null and empty are not the same. */
export interface ZnodeData {
  readonly data: Buffer | null;
  readonly stat: Stat;
}

/** Data in a buffer of its own, since a reply's bytes are reused. */
export const OwnedData: Codec<ZnodeData> = {
  read: (from) => {
    const { data, stat } = DataResponse.read(from);
    return { data: data === null ? null : Buffer.from(data), stat };
  },
  write: (to, value) => DataResponse.write(to, value),
};
