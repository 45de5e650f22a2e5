import { DecodeFault } from "./fault.ts";
import { lineEnd } from "./json-lines.ts";
import { byte } from "./json-scan.ts";
import type { RecordSink } from "./sink.ts";
import type { SourceBytes } from "./source-bytes.ts";

/** A line a record, as its message. Empty lines are no records; bytes that are no UTF-8 are replaced by U+FFFD. */
export function decodeText(source: SourceBytes, sink: RecordSink): void {
  const { bytes, bodyEnd } = source;
  const isUtf8 = source.isUtf8(0, bodyEnd);
  let line = 0;
  for (let at = 0; at < bodyEnd; ) {
    line++;
    const next = lineEnd(bytes, at, bodyEnd);
    const end = next > at && bytes[next - 1] === byte.carriageReturn ? next - 1 : next;
    if (end > at) takeLine(source, sink, line, at, end, isUtf8);
    at = next + 1;
  }
}

function takeLine(
  source: SourceBytes,
  sink: RecordSink,
  line: number,
  start: number,
  end: number,
  isUtf8: boolean,
): void {
  sink.begin();
  try {
    const value = isUtf8 ? { start, end } : validSlice(source, start, end);
    sink.record.put(sink.msgId, value.start, value.end);
    sink.accept(line, start, end);
  } catch (thrown) {
    if (!(thrown instanceof DecodeFault)) throw thrown;
    sink.reject(line, thrown.reason, start, end);
  }
}

/** The slice itself where it is UTF-8, else a copy in scratch with U+FFFD for what is not. */
export function validSlice(
  source: SourceBytes,
  start: number,
  end: number,
): { readonly start: number; readonly end: number } {
  if (source.isUtf8(start, end)) return { start, end };
  const copy = source.putText(source.textOf(start, end));
  return { start: copy, end: source.scratch };
}
