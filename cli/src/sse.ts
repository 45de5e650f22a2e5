/** One server-sent event. */
export interface ServerEvent {
  /** `message` when the sender named none. */
  readonly event: string;
  readonly data: string;
}

/** Letters of one event that are put together; a record is far below it. */
const eventMaxLength = 64 * 1024 * 1024;

/** Reads a stream of server-sent events (HTML standard 9.2.6) from texts cut anywhere. */
export class SseParser {
  #rest = "";
  #event = "";
  #data: string[] = [];
  #length = 0;
  #isStart = true;
  #id = "";
  #pendingId: string | undefined;
  #retryMs: number | undefined;

  /** The id of the last event that was whole: what to resume after. */
  get lastId(): string {
    return this.#id;
  }

  /** How long the sender wants a reader to wait before it comes back, in milliseconds. */
  get retryMs(): number | undefined {
    return this.#retryMs;
  }

  /** The events that this text completes. The id of each is `lastId` as soon as it is handed out. */
  *feed(text: string): Generator<ServerEvent> {
    this.#rest += this.#isStart && text.startsWith("\ufeff") ? text.slice(1) : text;
    if (text !== "") this.#isStart = false;
    for (;;) {
      const found = /\r\n|\n|\r(?!$)/.exec(this.#rest);
      if (found === null) break;
      const line = this.#rest.slice(0, found.index);
      this.#rest = this.#rest.slice(found.index + found[0].length);
      const event = this.#line(line);
      if (event !== undefined) yield event;
    }
    if (this.#rest.length > eventMaxLength) throw new RangeError("an event is too long");
  }

  #line(line: string): ServerEvent | undefined {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    switch (name) {
      case "event":
        this.#event = value;
        break;
      case "data":
        this.#data.push(value);
        this.#length += value.length;
        if (this.#length > eventMaxLength) throw new RangeError("an event is too long");
        break;
      case "id":
        if (!value.includes("\u0000")) this.#pendingId = value;
        break;
      case "retry":
        if (/^\d{1,9}$/.test(value)) this.#retryMs = Number(value);
        break;
    }
    return undefined;
  }

  #dispatch(): ServerEvent | undefined {
    if (this.#pendingId !== undefined) this.#id = this.#pendingId;
    this.#pendingId = undefined;
    const event = { event: this.#event || "message", data: this.#data.join("\n") };
    const isEvent = this.#data.length > 0;
    this.#event = "";
    this.#data = [];
    this.#length = 0;
    return isEvent ? event : undefined;
  }
}
