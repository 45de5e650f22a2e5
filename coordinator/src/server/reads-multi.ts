import { isAllowed } from "../tree/acl.ts";
import { none } from "../tree/znodes.ts";
import { errorNumbers, opCodes, perms } from "../wire/constants.ts";
import { type MultiOp, MultiRequest } from "../wire/multi.ts";
import { multiReadBytesMax } from "./limits.ts";
import { bodyStart, childNamesWrite, type Read } from "./read.ts";

/** Several reads of one moment; each has its own error, and none spoils another. Refused when they are too much for one answer. */
export function multiRead(read: Read): number {
  const ops = MultiRequest.read(read.from);
  if (!ops.every((op) => op.op === "getData" || op.op === "getChildren")) {
    return errorNumbers.BADARGUMENTS;
  }
  const { out } = read.connection;
  const before = out.length;
  const start = bodyStart(read);
  for (const op of ops) {
    partWrite(read, op);
    if (out.length - start > multiReadBytesMax) {
      out.cut(before);
      return errorNumbers.BADARGUMENTS;
    }
  }
  headerWrite(read, { type: -1, isDone: true, error: -1 });
  out.frameEnd(start);
  return 0;
}

function partWrite(read: Read, op: MultiOp): void {
  const { tree, connection } = read;
  const id = tree.znodes.find(op.path);
  const error = id === none ? errorNumbers.NONODE : permission(read, id);
  if (error !== errorNumbers.OK) {
    headerWrite(read, { type: opCodes.error, isDone: false, error });
    connection.out.int(error);
    return;
  }
  headerWrite(read, { type: opCodes[op.op], isDone: false, error });
  if (op.op === "getData") {
    connection.out.buffer(tree.znodes.data(id));
    connection.out.raw(tree.znodes.stat(id));
  } else {
    childNamesWrite(connection.out, tree, id);
  }
}

function permission({ tree, connection }: Read, id: number): number {
  const isReadable = isAllowed(tree.aclOf(id), perms.read, connection.ids);
  return isReadable ? errorNumbers.OK : errorNumbers.NOAUTH;
}

function headerWrite(
  { connection }: Read,
  header: { readonly type: number; readonly isDone: boolean; readonly error: number },
): void {
  connection.out.int(header.type);
  connection.out.boolean(header.isDone);
  connection.out.int(header.error);
}
