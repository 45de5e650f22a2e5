import type { Socket } from "node:net";

import { imageSignature } from "../wire/quorum.ts";
import { JuteWriter } from "../wire/writer.ts";
import { imageBytesAhead } from "./limits.ts";
import type { ImageSource } from "./ports.ts";

/** Writes an image and its signature to a socket, no faster than the socket takes it. */
export class ImageSender {
  readonly #socket: Socket;
  readonly #image: ImageSource;
  readonly #after: () => void;
  #isOver = false;

  /** `after` is called, in a later turn, when the last byte is in the socket's buffer. */
  constructor(socket: Socket, image: ImageSource, after: () => void) {
    this.#socket = socket;
    this.#image = image;
    this.#after = after;
    setImmediate(() => this.#pump());
  }

  abandon(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#image.abandon();
  }

  /** A piece a turn: a tree is not written out at the cost of everything else. */
  #pump(): void {
    if (this.#isOver) return;
    if (this.#socket.writableLength > imageBytesAhead) {
      this.#socket.once("drain", () => this.#pump());
      return;
    }
    if (!this.#image.isDone) {
      const bytes = this.#next();
      if (bytes === undefined) return;
      if (bytes.length > 0) this.#socket.write(bytes);
      setImmediate(() => this.#pump());
      return;
    }
    this.#isOver = true;
    const writer = new JuteWriter();
    writer.string(imageSignature);
    this.#socket.write(writer.copy());
    this.#after();
  }

  /** The next piece; undefined once the image was given up, as is the connection then. */
  #next(): Buffer | undefined {
    try {
      return this.#image.next();
    } catch (thrown) {
      this.abandon();
      this.#socket.destroy(thrown as Error);
      return undefined;
    }
  }
}
