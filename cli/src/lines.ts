/** Longest line of an answer that is put together; a row of an answer is far below it. */
const lineMaxLength = 64 * 1024 * 1024;

/** The lines of a stream of bytes, without their ends; a last line without one counts as well. */
export async function* textLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    const text = rest + decoder.decode(chunk, { stream: true });
    let from = 0;
    for (let end = text.indexOf("\n", from); end >= 0; end = text.indexOf("\n", from)) {
      yield text.slice(from, end);
      from = end + 1;
    }
    rest = text.slice(from);
    if (rest.length > lineMaxLength) throw new RangeError("a line of the answer is too long");
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
}
