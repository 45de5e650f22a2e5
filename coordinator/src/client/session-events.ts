import type { ServerAddress } from "./paths.ts";

/**
 * What becomes of the session.
 *
 * - `connected`: requests are answered. `isNew` is false when an earlier session of this client goes on.
 * - `readOnly`: the server answers reads alone, and the session is not kept. Only for clients that allow it.
 * - `suspended`: no connection; ephemerals live on until the server's timeout.
 * - `lapsed`: for most of that timeout nothing has proved that the server knows of us. The session may be over any
 *   moment, and somebody else may then act in its place.
 * - `expired`: its ephemerals and one-shot watches are gone; a new session follows by itself.
 * - `tlsFailed`: a server was reached and its TLS, or it ours, was not believed; others are tried, and it again.
 * - `authFailed`: a server does not take an identity. After a refusal of SASL the client is closed.
 * - `closed`: by `close`, or after SASL failed; the last.
 */
export type SessionEvent =
  | {
      readonly kind: "connected";
      readonly sessionId: bigint;
      readonly timeoutMs: number;
      readonly isNew: boolean;
    }
  | { readonly kind: "readOnly" }
  | { readonly kind: "suspended"; readonly reason: string | undefined }
  | { readonly kind: "lapsed" }
  | { readonly kind: "expired"; readonly sessionId: bigint }
  | { readonly kind: "tlsFailed"; readonly server: ServerAddress; readonly cause: Error }
  | { readonly kind: "authFailed"; readonly scheme: string }
  | { readonly kind: "closed" };
