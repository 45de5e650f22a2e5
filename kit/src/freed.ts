/**
 * Gives the memory of a socket's chunk back at once; nobody may look at it any more. Left to the collector, which sees small objects only,
 * tens of megabytes of chunks would gather before it looks.
 */
export function freed({ buffer, byteLength }: Buffer): void {
  // A chunk that is not alone in its memory, as the first behind a request's headers may be, is left as it is.
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
