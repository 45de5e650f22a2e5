import { errorNumbers, xids } from "../wire/constants.ts";
import type { JuteReader } from "../wire/reader.ts";
import { AuthRequest } from "../wire/records.ts";
import { idsProved } from "./auth.ts";
import type { Connection } from "./connection.ts";
import { authIdsMax } from "./limits.ts";
import { replyPlain } from "./replies.ts";

/**
 * Takes an auth request in at once, ahead of what waits: what the connection asks from now on is asked
 * with the new identities. Proof that fails is answered and the connection closed, as in ZooKeeper.
 */
export function authenticate(
  connection: Connection,
  from: JuteReader,
  options: { readonly superDigest: string | undefined; readonly zxid: number },
): void {
  const { scheme, auth } = AuthRequest.read(from);
  const { superDigest, zxid } = options;
  const { address } = connection;
  const proved = idsProved(scheme, auth ?? new Uint8Array(0), { superDigest, address });
  const added = (proved ?? []).filter(
    (id) => !connection.ids.some((own) => own.scheme === id.scheme && own.id === id.id),
  );
  if (proved === undefined || connection.ids.length + added.length > authIdsMax) {
    replyPlain(connection.out, xids.auth, zxid, errorNumbers.AUTHFAILED);
    connection.closeAfterFlush();
    return;
  }
  connection.ids = [...connection.ids, ...added];
  replyPlain(connection.out, xids.auth, zxid, errorNumbers.OK);
}
