interface Waiting {
  readonly bytes: number;
  readonly go: () => void;
}

/** Bytes on the way to one node; what is too much waits in line. */
export class InFlight {
  readonly #bytesMax: number;
  readonly #line: Waiting[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Resolves when so many bytes may go; alone, more than the limit may. */
  async take(bytes: number): Promise<void> {
    if (this.#line.length === 0 && this.#fits(bytes)) {
      this.#bytes += bytes;
      return;
    }
    await new Promise<void>((go) => this.#line.push({ bytes, go }));
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
    for (;;) {
      const [next] = this.#line;
      if (next === undefined || !this.#fits(next.bytes)) return;
      this.#line.shift();
      this.#bytes += next.bytes;
      next.go();
    }
  }

  #fits(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#bytesMax;
  }
}
