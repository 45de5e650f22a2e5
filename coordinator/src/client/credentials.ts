import { opCodes, xids } from "../wire/constants.ts";
import { AuthRequest, RequestHeader } from "../wire/records.ts";
import { JuteWriter } from "../wire/writer.ts";
import { ZooKeeperError } from "./errors.ts";

interface Credential {
  readonly scheme: string;
  readonly frame: Buffer;
  readonly waiters: {
    readonly resolve: () => void;
    readonly reject: (error: ZooKeeperError) => void;
  }[];
}

/** The identities of a client: given to each new connection before anything else. */
export class Credentials {
  readonly #send: (frame: Buffer) => void;
  readonly #refused: (scheme: string) => void;
  #known: Credential[] = [];
  /** Sent on the present connection; the server answers them in order. */
  #inFlight: Credential[] = [];

  /** `send` may do nothing while there is no connection. */
  constructor(send: (frame: Buffer) => void, refused: (scheme: string) => void) {
    this.#send = send;
    this.#refused = refused;
  }

  /** Resolves when a server has accepted it. Rejects with AUTHFAILED, and then it is forgotten. */
  add(scheme: string, auth: Uint8Array, isConnected: boolean): Promise<void> {
    const credential: Credential = { scheme, frame: authFrame(scheme, auth), waiters: [] };
    this.#known.push(credential);
    if (isConnected) {
      this.#inFlight.push(credential);
      this.#send(credential.frame);
    }
    return new Promise((resolve, reject) => credential.waiters.push({ resolve, reject }));
  }

  /** What a new connection sends first. */
  frames(): readonly Buffer[] {
    this.#inFlight = [...this.#known];
    return this.#known.map(({ frame }) => frame);
  }

  replied(error: number): void {
    const credential = this.#inFlight.shift();
    if (credential === undefined) return;
    if (error !== 0) this.#known = this.#known.filter((each) => each !== credential);
    for (const { resolve, reject } of credential.waiters.splice(0)) {
      if (error === 0) resolve();
      else reject(new ZooKeeperError("AUTHFAILED"));
    }
    if (error !== 0) this.#refused(credential.scheme);
  }

  connectionLost(): void {
    this.#inFlight = [];
  }

  failAll(): void {
    for (const { waiters } of this.#known) {
      for (const { reject } of waiters.splice(0)) reject(new ZooKeeperError("CLOSED"));
    }
  }
}

function authFrame(scheme: string, auth: Uint8Array): Buffer {
  const writer = new JuteWriter();
  const start = writer.frameStart();
  RequestHeader.write(writer, { xid: xids.auth, type: opCodes.auth });
  AuthRequest.write(writer, { type: 0, scheme, auth });
  writer.frameEnd(start);
  return writer.copy();
}
