import type { WriteRequest } from "../tree/prepare.ts";
import { errorNumbers, opCodes } from "../wire/constants.ts";
import { WireError } from "../wire/errors.ts";
import { frameBytesSettableMax } from "../wire/limits.ts";
import { MultiRequest } from "../wire/multi.ts";
import { JuteReader } from "../wire/reader.ts";
import {
  CreateRequest,
  CreateTtlRequest,
  PathRequest,
  ReconfigRequest,
  SetAclRequest,
  SetDataRequest,
  VersionRequest,
} from "../wire/records.ts";

/** What a leader makes of a request to change the ensemble. */
export type ReconfigPlan = (
  request: ReconfigRequest,
) => (WriteRequest & { readonly op: "reconfig" })["plan"];

/** The request in this body, if its type is one that changes the tree. Data stays a view of the frame. */
export function writeRequestRead(
  type: number,
  from: JuteReader,
  reconfig: ReconfigPlan,
): WriteRequest | undefined {
  switch (type) {
    case opCodes.reconfig:
      return { op: "reconfig", plan: reconfig(ReconfigRequest.read(from)) };
    case opCodes.create:
      return { op: "create", ...CreateRequest.read(from) };
    case opCodes.create2:
      return { op: "create2", ...CreateRequest.read(from) };
    case opCodes.createContainer:
      return { op: "createContainer", ...CreateRequest.read(from) };
    case opCodes.createTTL:
      return { op: "createTTL", ...CreateTtlRequest.read(from) };
    case opCodes.deleteContainer:
      return { op: "deleteContainer", ...PathRequest.read(from) };
    case opCodes.delete:
      return { op: "delete", ...VersionRequest.read(from) };
    case opCodes.setData:
      return { op: "setData", ...SetDataRequest.read(from) };
    case opCodes.setACL:
      return { op: "setACL", ...SetAclRequest.read(from) };
    case opCodes.check:
      return { op: "check", ...VersionRequest.read(from) };
    case opCodes.multi:
      return { op: "multi", ops: MultiRequest.read(from) };
    case opCodes.closeSession:
      return { op: "closeSession" };
  }
  return undefined;
}

/** Whether requests of this type change the tree; others are answered from it. */
export function isWrite(type: number): boolean {
  return writeTypes.has(type);
}

const writeTypes: ReadonlySet<number> = new Set([
  opCodes.create,
  opCodes.create2,
  opCodes.createContainer,
  opCodes.createTTL,
  opCodes.deleteContainer,
  opCodes.delete,
  opCodes.setData,
  opCodes.setACL,
  opCodes.check,
  opCodes.multi,
  opCodes.reconfig,
  opCodes.closeSession,
]);

/** A request that a learner has forwarded. One that cannot be read is to be refused by a txn. */
export function forwardedRequestRead(
  type: number,
  payload: Buffer,
  reconfig: ReconfigPlan,
): WriteRequest {
  try {
    // Its txn could be longer than an entry may be.
    if (payload.length > frameBytesSettableMax) {
      return { op: "refuse", error: errorNumbers.MARSHALLINGERROR };
    }
    const from = new JuteReader(payload);
    if (type === opCodes.createSession) return { op: "createSession", timeoutMs: from.int() };
    const request = writeRequestRead(type, from, reconfig);
    if (request !== undefined) return request;
    return { op: "refuse", error: errorNumbers.UNIMPLEMENTED };
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
    return { op: "refuse", error: errorNumbers.MARSHALLINGERROR };
  }
}
