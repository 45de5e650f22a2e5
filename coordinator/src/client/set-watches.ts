import { opCodes, xids } from "../wire/constants.ts";
import { RequestHeader, SetWatches2Request, SetWatchesRequest } from "../wire/records.ts";
import { JuteWriter } from "../wire/writer.ts";
import type { WatchPaths } from "./watches.ts";

/**
 * The requests that set a client's watches on a new connection; the server sends what the one-shot ones missed
 * since `relativeZxid`. The older request goes out where it is enough, for servers before 3.6.
 */
export function setWatchesFrames(pieces: readonly WatchPaths[], relativeZxid: bigint): Buffer[] {
  return pieces.map((paths) => {
    const writer = new JuteWriter();
    const start = writer.frameStart();
    if (paths.persistent.length + paths.persistentRecursive.length === 0) {
      RequestHeader.write(writer, { xid: xids.setWatches, type: opCodes.setWatches });
      SetWatchesRequest.write(writer, { relativeZxid, ...paths });
    } else {
      RequestHeader.write(writer, { xid: xids.setWatches, type: opCodes.setWatches2 });
      SetWatches2Request.write(writer, { relativeZxid, ...paths });
    }
    writer.frameEnd(start);
    return writer.copy();
  });
}
