import type { Socket } from "node:net";

import { ImageScanner } from "./image-scanner.ts";
import type { ImageSink } from "./ports.ts";

/** What comes of an image; one of the two, once. */
export interface ImageEvents {
  /** The sink has all of it; these bytes came after it. */
  done(rest: Buffer): void;
  failed(error: Error): void;
}

/** Hands an image that comes in to its sink, no faster than the sink takes it: the socket is not read meanwhile. */
export class ImageReceiver {
  readonly #socket: Socket;
  readonly #sink: ImageSink;
  readonly #events: ImageEvents;
  readonly #scanner = new ImageScanner();
  #isOver = false;

  constructor(socket: Socket, sink: ImageSink, events: ImageEvents) {
    this.#socket = socket;
    this.#sink = sink;
    this.#events = events;
  }

  abandon(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink.abandon();
  }

  /** Throws a `WireError` when this is no image. Nothing may be pushed while the socket is paused. */
  push(chunk: Buffer): void {
    if (this.#isOver || chunk.length === 0) return;
    const { image, taken } = this.#scanner.push(chunk);
    this.#socket.pause();
    this.#take(chunk.subarray(0, image), chunk.subarray(taken)).catch((thrown: unknown) => {
      if (this.#isOver) return;
      this.abandon();
      this.#events.failed(thrown as Error);
    });
  }

  async #take(image: Buffer, rest: Buffer): Promise<void> {
    if (image.length > 0) await this.#sink.write(image);
    if (this.#scanner.isDone && !this.#isOver) await this.#sink.end();
    if (this.#isOver) return;
    if (!this.#scanner.isDone) {
      this.#socket.resume();
      return;
    }
    this.#isOver = true;
    // In a turn of its own: what goes wrong there is no fault of the sink.
    setImmediate(() => {
      this.#socket.resume();
      this.#events.done(rest);
    });
  }
}
