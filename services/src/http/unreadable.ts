import type { Duplex } from "node:stream";
import { lingerMs } from "./app.ts";

/** Statuses of what the parser of HTTP itself refuses; anything else is 400. */
const statuses: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "413 Payload Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
};

/**
 * Answers bytes that are no request, and ends their connection. It is read on for a moment: cut while bytes
 * of the client lie unread it would be reset, and the client might never see the answer.
 */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  // Each further chunk of what cannot be read fails anew.
  if (socket.writableEnded || socket.destroyed) return;
  // Node's name for the answer under way on a connection; a second one within it would be taken for its body.
  const { _httpMessage: answer } = socket as { _httpMessage?: { readonly headersSent: boolean } };
  if (!socket.writable || error.code === "ECONNRESET" || answer?.headersSent === true) {
    socket.destroy();
    return;
  }
  const status = statuses[error.code ?? ""] ?? "400 Bad Request";
  // Who is late may still complete the request, which must not be carried out after its refusal.
  if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") socket.pause();
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  setTimeout(() => socket.destroy(), lingerMs).unref();
}
