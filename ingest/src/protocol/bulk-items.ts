/** One action of a bulk request. */
export interface BulkAction {
  readonly kind: "index" | "create" | "update" | "delete";
  /** Empty where neither action nor path names one. */
  readonly index: string;
  /** Whether the action itself names the index. */
  readonly isIndexOwn: boolean;
  readonly id: string | undefined;
}

const kinds = ["index", "create", "update", "delete"] as const;

/** Bytes of a name of an index and of an id, as Elasticsearch has them. */
const indexMaxBytes = 255;
const idMaxBytes = 512;

/** Reads an action line, `index` being that of the path; a text says what is wrong with it. */
export function readAction(line: string, index: string | undefined): BulkAction | string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return "Malformed action/metadata line, expected a JSON object";
  }
  const names = isObject(parsed) ? Object.keys(parsed) : [];
  const kind = kinds.find((each) => each === names[0]);
  if (!isObject(parsed) || kind === undefined || names.length !== 1) {
    return "Malformed action/metadata line, expected one of [create, delete, index, update]";
  }
  const meta = parsed[kind];
  if (!isObject(meta)) return `Malformed action/metadata line, expected an object for [${kind}]`;
  const own = meta["_index"];
  const id = meta["_id"];
  if (own !== undefined && own !== null && !isName(own, indexMaxBytes)) {
    return "Malformed action/metadata line, [_index] is no name of an index";
  }
  const idText = typeof id === "number" ? String(id) : id;
  if (idText !== undefined && idText !== null && !isName(idText, idMaxBytes)) {
    return "Malformed action/metadata line, [_id] is no text of 1 to 512 bytes";
  }
  return {
    kind,
    index: typeof own === "string" ? own : (index ?? ""),
    isIndexOwn: typeof own === "string",
    id: idText === null ? undefined : idText,
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isName(value: unknown, bytesMax: number): value is string {
  if (typeof value !== "string" || value === "" || !value.isWellFormed()) return false;
  return Buffer.byteLength(value) <= bytesMax;
}

const createdTail = Buffer.from(
  `","_version":1,"result":"created","_shards":{"total":1,"successful":1,"failed":0},` +
    `"_seq_no":0,"_primary_term":1,"status":201}},`,
);

/** Memory up to this is taken over from request to request: it holds some 10,000 items. */
const keptBytes = 4 << 20;

/**
 * The results of a bulk request's items, printed one after the other as Elasticsearch prints them. Most are alike and
 * longer than many a record, so they are put together as bytes.
 */
export class BulkItems {
  hasErrors = false;
  count = 0;
  readonly #idSeed: string;
  /** Each item with a comma behind it. */
  #bytes: Buffer;
  #length = 0;
  #actionLast: BulkAction | undefined;
  #headLast = "";
  /** The head of items whose id is made up, up to their number. */
  #madeUpHead = Buffer.alloc(0);
  /** Items with a made-up id that are still to be printed: the last ones, all of the same action. */
  #pending = 0;

  /** `before`: the results of an earlier request, whose memory these take over. */
  constructor(idSeed: string, before?: BulkItems) {
    this.#idSeed = idSeed;
    const kept =
      before === undefined || before.#bytes.length > keptBytes ? undefined : before.#bytes;
    this.#bytes = kept ?? Buffer.allocUnsafeSlow(64 << 10);
  }

  /** A copy of the items without the brackets around them. */
  printed(): Uint8Array<ArrayBuffer> {
    this.#printPending();
    return new Uint8Array(this.#bytes.subarray(0, Math.max(0, this.#length - 1)));
  }

  created(action: BulkAction): void {
    this.#setHead(action);
    if (action.id === undefined) {
      this.#pending++;
    } else {
      this.#printPending();
      this.#putText(`${this.#headLast}${JSON.stringify(action.id).slice(0, -1)}`);
      this.#put(createdTail);
    }
    this.count++;
  }

  failed(action: BulkAction, status: number, type: string, reason: string): void {
    this.#setHead(action);
    this.#printPending();
    this.count++;
    this.hasErrors = true;
    const id = action.id === undefined ? "null" : JSON.stringify(action.id);
    const error = JSON.stringify({ type, reason });
    this.#putText(`${this.#headLast}${id},"status":${status},"error":${error}}},`);
  }

  #setHead(action: BulkAction): void {
    if (action === this.#actionLast) return;
    this.#printPending();
    const index = JSON.stringify(action.index === "" ? "logkeep" : action.index);
    this.#headLast = `{"${action.kind}":{"_index":${index},"_id":`;
    this.#madeUpHead = Buffer.from(`${this.#headLast}"${this.#idSeed}-`);
    this.#actionLast = action;
  }

  #putText(text: string): void {
    this.#put(Buffer.from(text));
  }

  #put(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Prints the pending items in runs of those whose numbers are equally long. */
  #printPending(): void {
    while (this.#pending > 0) {
      const first = this.count - this.#pending;
      const digits = String(first).length;
      const run = Math.min(this.#pending, 10 ** digits - first);
      this.#printRun(first, run, digits);
      this.#pending -= run;
    }
  }

  /** Items that differ in their numbers only: what is printed is copied behind itself, twice as much each time. */
  #printRun(first: number, run: number, digits: number): void {
    const head = this.#madeUpHead;
    const itemLength = head.length + digits + createdTail.length;
    this.#reserve(run * itemLength);
    const bytes = this.#bytes;
    const start = this.#length;
    const end = start + run * itemLength;
    bytes.set(head, start);
    bytes.set(createdTail, start + head.length + digits);
    for (let at = start + itemLength; at < end; at += at - start) {
      bytes.copyWithin(at, start, Math.min(at, start + end - at));
    }
    for (let i = 0; i < run; i++) {
      let at = start + i * itemLength + head.length + digits;
      for (let left = first + i, digit = 0; digit < digits; digit++) {
        bytes[--at] = 0x30 + (left % 10);
        left = Math.floor(left / 10);
      }
    }
    this.#length = end;
  }

  #reserve(length: number): void {
    if (this.#length + length <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(2 * (this.#length + length));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
