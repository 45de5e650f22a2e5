import { messageOf } from "./errors.ts";

/** Something that holds resources until it is closed. Closing twice does nothing more. */
export interface Closable {
  close(): Promise<void>;
}

/** Closes what was opened, last first; one failure does not keep the others open. */
export class Lifecycle implements Closable {
  readonly #closers: { readonly name: string; readonly close: () => Promise<void> | void }[] = [];
  #closing: Promise<void> | undefined;
  #part: string | undefined;

  /** What is being closed now. */
  get part(): string | undefined {
    return this.#part;
  }

  add(name: string, close: () => Promise<void> | void): void {
    this.#closers.push({ name, close });
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    const failures: string[] = [];
    for (const { name, close } of this.#closers.reverse()) {
      this.#part = name;
      try {
        await close();
      } catch (thrown) {
        failures.push(`${name}: ${messageOf(thrown)}`);
      }
    }
    this.#part = undefined;
    if (failures.length > 0) throw new Error(`closing failed: ${failures.join("; ")}`);
  }
}
