import { errorNumbers, opCodes, xids } from "../wire/constants.ts";
import type { JuteReader } from "../wire/reader.ts";
import { AuthRequest, type Id, SaslToken } from "../wire/records.ts";
import { idsProved, superId } from "./auth.ts";
import type { Connection } from "./connection.ts";
import { authIdBytesMax, authIdsMax } from "./limits.ts";
import { replyPlain, replyStart } from "./replies.ts";
import { SaslDigest } from "./sasl-digest.ts";

/** How clients may prove who they are. */
export interface AuthSettings {
  /** `super:base64(sha1("super:password"))`. */
  readonly superDigest: string | undefined;
  /** Passwords by user for SASL DIGEST-MD5; without any there is no SASL. */
  readonly saslUsers: ReadonlyMap<string, string>;
  /** The SASL user who passes every ACL. */
  readonly saslSuperUser: string | undefined;
  /** A client whose SASL proof fails goes on without it. */
  readonly allowSaslFailure: boolean;
  /** Schemes, one of which a client must have proved before it asks anything; empty: anyone may ask. */
  readonly schemesRequired: readonly string[];
}

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
  const { address, certificateIds } = connection;
  const credentials = auth ?? new Uint8Array(0);
  const proved = idsProved(scheme, credentials, { superDigest, address, certificateIds });
  const isTaken = proved !== undefined && idsAdd(connection, proved);
  const error = isTaken ? errorNumbers.OK : errorNumbers.AUTHFAILED;
  replyPlain(connection.out, xids.auth, zxid, error);
  if (!isTaken) connection.closeAfterFlush();
}

/** One token of SASL, also ahead of what waits. */
export function saslStep(
  connection: Connection,
  xid: number,
  from: JuteReader,
  settings: AuthSettings,
): void {
  const { saslUsers, saslSuperUser } = settings;
  if (saslUsers.size === 0) {
    replyPlain(connection.out, xid, 0, errorNumbers.UNIMPLEMENTED);
    return;
  }
  const { token } = SaslToken.read(from);
  connection.sasl ??= new SaslDigest(saslUsers);
  const step = connection.sasl.step(token ?? new Uint8Array(0));
  if (step.kind === "proved") {
    const id = { scheme: "sasl", id: step.user };
    const isKnown = idsAdd(connection, step.user === saslSuperUser ? [id, superId] : [id]);
    if (isKnown) tokenReply(connection, xid, step.token);
    else refuse(connection, xid, errorNumbers.AUTHFAILED);
  } else if (step.kind === "challenge") {
    tokenReply(connection, xid, step.token);
  } else if (settings.allowSaslFailure && settings.schemesRequired.length === 0) {
    tokenReply(connection, xid, null);
  } else {
    refuse(connection, xid, errorNumbers.AUTHFAILED);
  }
}

/** Whether this client must first prove who it is. If so it is told, and closed. */
export function isRefusedUnproved(
  connection: Connection,
  { xid, type }: { readonly xid: number; readonly type: number },
  { schemesRequired }: AuthSettings,
): boolean {
  if (schemesRequired.length === 0 || beforeProof.has(type)) return false;
  if (connection.ids.some(({ scheme }) => schemesRequired.includes(scheme))) return false;
  refuse(connection, xid, errorNumbers.SESSIONCLOSEDREQUIRESASLAUTH);
  return true;
}

const beforeProof: ReadonlySet<number> = new Set([
  opCodes.auth,
  opCodes.sasl,
  opCodes.ping,
  opCodes.closeSession,
]);

/** False when it has too many, or one is too long. */
function idsAdd(connection: Connection, ids: readonly Id[]): boolean {
  const added = ids.filter(
    (id) => !connection.ids.some((own) => own.scheme === id.scheme && own.id === id.id),
  );
  if (connection.ids.length + added.length > authIdsMax) return false;
  if (added.some(({ id }) => Buffer.byteLength(id) > authIdBytesMax)) return false;
  connection.ids = [...connection.ids, ...added];
  return true;
}

function tokenReply(connection: Connection, xid: number, token: Buffer | null): void {
  const start = replyStart(connection.out, xid, 0);
  SaslToken.write(connection.out, { token });
  connection.out.frameEnd(start);
}

function refuse(connection: Connection, xid: number, error: number): void {
  replyPlain(connection.out, xid, 0, error);
  connection.closeAfterFlush();
}
