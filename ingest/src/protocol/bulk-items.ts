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

  /** `before`: the results of an earlier request, whose memory these take over. */
  constructor(idSeed: string, before?: BulkItems) {
    this.#idSeed = idSeed;
    const kept =
      before === undefined || before.#bytes.length > keptBytes ? undefined : before.#bytes;
    this.#bytes = kept ?? Buffer.allocUnsafeSlow(64 << 10);
  }

  /** The items without the brackets around them. */
  get text(): string {
    return this.#bytes.toString("utf8", 0, Math.max(0, this.#length - 1));
  }

  created(action: BulkAction): void {
    const number = this.count++;
    this.#setHead(action);
    if (action.id === undefined) {
      this.#put(this.#madeUpHead);
      this.#putDigits(number);
    } else {
      this.#putText(`${this.#headLast}${JSON.stringify(action.id).slice(0, -1)}`);
    }
    this.#put(createdTail);
  }

  failed(action: BulkAction, status: number, type: string, reason: string): void {
    this.count++;
    this.hasErrors = true;
    this.#setHead(action);
    const id = action.id === undefined ? "null" : JSON.stringify(action.id);
    const error = JSON.stringify({ type, reason });
    this.#putText(`${this.#headLast}${id},"status":${status},"error":${error}}},`);
  }

  #setHead(action: BulkAction): void {
    if (action === this.#actionLast) return;
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

  #putDigits(number: number): void {
    let digits = 1;
    for (let left = number; left >= 10; left = Math.floor(left / 10)) digits++;
    this.#reserve(digits);
    this.#length += digits;
    let left = number;
    for (let at = this.#length - 1; at >= this.#length - digits; at--) {
      this.#bytes[at] = 0x30 + (left % 10);
      left = Math.floor(left / 10);
    }
  }

  #reserve(length: number): void {
    if (this.#length + length <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(2 * (this.#length + length));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
