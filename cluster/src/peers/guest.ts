import { ServiceError } from "../../../kit/src/errors.ts";
import type { NodeIdentity } from "../node.ts";
import { greetAsDialler } from "./greet.ts";
import { versionsSpoken } from "./handshake.ts";
import { Link } from "./link.ts";
import type { PeerMessage } from "./peers.ts";
import { ReceiveMemory } from "./receive-memory.ts";
import { dial } from "./transport.ts";
import type { CertificateSource } from "./wire-tls.ts";

export interface GuestOptions {
  readonly self: NodeIdentity;
  readonly secret: Uint8Array;
  readonly certificates?: CertificateSource | undefined;
  /** `host:port` of any node's listener for peers. */
  readonly address: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs: number;
}

/**
 * Asks a node of a cluster that this process is no member of, over a connection of its own; the method must be open to guests. Rejects
 * with `peer.refused`, `peer.unavailable`, and what the handler answers.
 */
export async function askAsGuest(
  { self, secret, certificates, address, signal, timeoutMs }: GuestOptions,
  method: string,
  message: PeerMessage,
): Promise<PeerMessage> {
  const { socket, isLocal } = await dial(address, { secret, certificates });
  const greeting = { self, cluster: undefined, versions: versionsSpoken, secret };
  const { identity, rest } = await greetAsDialler(socket, greeting);
  const link = new Link({
    ...{
      id: 0,
      socket,
      identity,
      isDialled: true,
      pack: !isLocal,
      rest,
      memory: new ReceiveMemory(),
    },
    events: {
      // Nobody asks a guest.
      handlerOf: () => undefined,
      message: () => undefined,
      room: () => undefined,
      ended: () => undefined,
    },
  });
  link.begin();
  try {
    const options = signal === undefined ? { timeoutMs } : { timeoutMs, signal };
    return await link.call(method, message, options);
  } finally {
    link.end(new ServiceError("peer.unavailable", "the question was answered"));
  }
}
