import type { Codec } from "./codec.ts";
import { opCodes } from "./constants.ts";
import { WireError } from "./errors.ts";
import type { JuteReader } from "./reader.ts";
import {
  ChildrenResponse,
  Create2Response,
  CreateRequest,
  CreateTtlRequest,
  DataResponse,
  ErrorResponse,
  PathResponse,
  SetDataRequest,
  StatResponse,
  VersionRequest,
  WatchedRequest,
} from "./records.ts";
import type { JuteWriter } from "./writer.ts";

interface MultiHeader {
  readonly type: number;
  readonly done: boolean;
  readonly error: number;
}
const MultiHeader: Codec<MultiHeader> = {
  read: (from) => {
    const type = from.int();
    const done = from.boolean();
    return { type, done, error: from.int() };
  },
  write: (to, { type, done, error }) => {
    to.int(type);
    to.boolean(done);
    to.int(error);
  },
};
const last = { type: -1, done: true, error: -1 };

/** One operation of a multi (the first five kinds) or a multiRead (the last two). */
export type MultiOp =
  | ({ readonly op: "create" | "create2" | "createContainer" } & CreateRequest)
  | ({ readonly op: "createTTL" } & CreateTtlRequest)
  | ({ readonly op: "delete" | "check" } & VersionRequest)
  | ({ readonly op: "setData" } & SetDataRequest)
  | ({ readonly op: "getData" | "getChildren" } & WatchedRequest);

/** The answer to one operation. A multi that failed has nothing but errors, 0 before the culprit. */
export type MultiResult =
  | ({ readonly op: "create" } & PathResponse)
  | ({ readonly op: "create2" | "createContainer" | "createTTL" } & Create2Response)
  | { readonly op: "delete" | "check" }
  | ({ readonly op: "setData" } & StatResponse)
  | ({ readonly op: "getData" } & DataResponse)
  | ({ readonly op: "getChildren" } & ChildrenResponse)
  | ({ readonly op: "error" } & ErrorResponse);

export const MultiRequest: Codec<readonly MultiOp[]> = {
  read: (from) => readAll(from, readOp),
  write: (to, ops) => {
    for (const op of ops) {
      MultiHeader.write(to, { type: opCodes[op.op], done: false, error: -1 });
      writeOp(to, op);
    }
    MultiHeader.write(to, last);
  },
};

export const MultiResponse: Codec<readonly MultiResult[]> = {
  read: (from) => readAll(from, readResult),
  write: (to, results) => {
    for (const result of results) {
      const error = result.op === "error" ? result.error : 0;
      MultiHeader.write(to, { type: opCodes[result.op], done: false, error });
      writeResult(to, result);
    }
    MultiHeader.write(to, last);
  },
};

function readAll<T>(from: JuteReader, one: (from: JuteReader, type: number) => T): readonly T[] {
  const all: T[] = [];
  // Ends: each turn takes at least a header's bytes, and reading past the end throws.
  for (;;) {
    const { type, done } = MultiHeader.read(from);
    if (done) return all;
    all.push(one(from, type));
  }
}

function readOp(from: JuteReader, type: number): MultiOp {
  switch (type) {
    case opCodes.create:
      return { op: "create", ...CreateRequest.read(from) };
    case opCodes.create2:
      return { op: "create2", ...CreateRequest.read(from) };
    case opCodes.createContainer:
      return { op: "createContainer", ...CreateRequest.read(from) };
    case opCodes.createTTL:
      return { op: "createTTL", ...CreateTtlRequest.read(from) };
    case opCodes.delete:
      return { op: "delete", ...VersionRequest.read(from) };
    case opCodes.check:
      return { op: "check", ...VersionRequest.read(from) };
    case opCodes.setData:
      return { op: "setData", ...SetDataRequest.read(from) };
    case opCodes.getData:
      return { op: "getData", ...WatchedRequest.read(from) };
    case opCodes.getChildren:
      return { op: "getChildren", ...WatchedRequest.read(from) };
  }
  throw new WireError("type", `a multi holds operation ${type}`, from.position);
}

function writeOp(to: JuteWriter, op: MultiOp): void {
  switch (op.op) {
    case "create":
    case "create2":
    case "createContainer":
      CreateRequest.write(to, op);
      break;
    case "createTTL":
      CreateTtlRequest.write(to, op);
      break;
    case "delete":
    case "check":
      VersionRequest.write(to, op);
      break;
    case "setData":
      SetDataRequest.write(to, op);
      break;
    case "getData":
    case "getChildren":
      WatchedRequest.write(to, op);
      break;
  }
}

function readResult(from: JuteReader, type: number): MultiResult {
  switch (type) {
    case opCodes.create:
      return { op: "create", ...PathResponse.read(from) };
    case opCodes.create2:
      return { op: "create2", ...Create2Response.read(from) };
    case opCodes.createContainer:
      return { op: "createContainer", ...Create2Response.read(from) };
    case opCodes.createTTL:
      return { op: "createTTL", ...Create2Response.read(from) };
    case opCodes.delete:
      return { op: "delete" };
    case opCodes.check:
      return { op: "check" };
    case opCodes.setData:
      return { op: "setData", ...StatResponse.read(from) };
    case opCodes.getData:
      return { op: "getData", ...DataResponse.read(from) };
    case opCodes.getChildren:
      return { op: "getChildren", ...ChildrenResponse.read(from) };
    case opCodes.error:
      return { op: "error", ...ErrorResponse.read(from) };
  }
  throw new WireError("type", `a multi answers operation ${type}`, from.position);
}

function writeResult(to: JuteWriter, result: MultiResult): void {
  switch (result.op) {
    case "create":
      PathResponse.write(to, result);
      break;
    case "create2":
    case "createContainer":
    case "createTTL":
      Create2Response.write(to, result);
      break;
    case "delete":
    case "check":
      break;
    case "setData":
      StatResponse.write(to, result);
      break;
    case "getData":
      DataResponse.write(to, result);
      break;
    case "getChildren":
      ChildrenResponse.write(to, result);
      break;
    case "error":
      ErrorResponse.write(to, result);
      break;
  }
}
