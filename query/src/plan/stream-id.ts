import type { PipeNode } from "../language/ast.ts";
import { streamIdField } from "../table/stream-id.ts";
import type { RowPipeNode, WrittenRowPipe } from "./plan.ts";

const show: RowPipeNode = { kind: "showStreamId" };

/** The row pipes of a query, with what makes `_stream_id` a field in front where one of all its pipes asks for it. */
export function withStreamId(
  rowPipes: readonly WrittenRowPipe[],
  all: readonly PipeNode[],
): readonly RowPipeNode[] {
  return asksStreamId(all) ? [show, ...rowPipes] : rowPipes;
}

/** Whether pipes name the field, or a beginning of its name. Queries within them are asked for themselves. */
export function asksStreamId(pipes: readonly PipeNode[]): boolean {
  return pipes.some((pipe) => namesField(pipe));
}

/** Texts that are no names of fields. */
const others: ReadonlySet<string> = new Set([
  ..."kind op text value values pattern literal tail old replacement".split(" "),
]);

/** Pipes are plain data: a field is named wherever its name stands, but where texts are looked for or written. */
function namesField(node: unknown, key?: string): boolean {
  if (typeof node === "string") return node === streamIdField && !others.has(key ?? "");
  if (typeof node !== "object" || node === null) return false;
  if (Array.isArray(node)) return node.some((each) => namesField(each, key));
  if (isBeginning(node)) return true;
  return Object.entries(node).some(
    ([name, value]) => !(name === "query" || name === "found") && namesField(value, name),
  );
}

/** `_stream*`, not `*`, which takes what is there. */
function isBeginning(node: object): boolean {
  const { name, from, prefix } = node as Readonly<Record<string, unknown>>;
  const begun = name ?? from;
  return prefix === true && typeof begun === "string" && begun !== "" && isBegun(begun);
}

function isBegun(begun: string): boolean {
  return streamIdField.startsWith(begun);
}
