import { opCodes } from "../wire/constants.ts";
import type { JuteReader } from "../wire/reader.ts";
import { RequestHeader, SaslToken } from "../wire/records.ts";
import { JuteWriter } from "../wire/writer.ts";
import type { Connection } from "./connection.ts";
import { SaslExchange, type SaslUser } from "./sasl.ts";

/** Proves by SASL who the client is, on a connection that carries nothing else until then. */
export class SaslLogin {
  readonly #exchange: SaslExchange;
  readonly #connection: Connection;
  readonly #done: () => void;

  /** Begins at once; `done` is called when the server is convinced, and has convinced us. */
  constructor(user: SaslUser, connection: Connection, done: () => void) {
    this.#exchange = new SaslExchange(user);
    this.#connection = connection;
    this.#done = done;
    this.#send(Buffer.alloc(0));
  }

  /** Takes the server's next token; false when it refuses us, or cannot show that it knows the password. */
  replied(error: number, body: JuteReader): boolean {
    if (error !== 0) return false;
    const { token } = SaslToken.read(body);
    let answer: Buffer | undefined;
    try {
      answer = this.#exchange.answer(Buffer.from(token ?? Buffer.alloc(0)));
    } catch {
      return false;
    }
    if (answer === undefined) this.#done();
    else this.#send(answer);
    return true;
  }

  #send(token: Buffer): void {
    const writer = new JuteWriter();
    const start = writer.frameStart();
    RequestHeader.write(writer, { xid: 0, type: opCodes.sasl });
    SaslToken.write(writer, { token });
    writer.frameEnd(start);
    this.#connection.write(writer.copy());
  }
}
