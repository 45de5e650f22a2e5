import { messageOf } from "./errors.ts";

/** Something that holds resources until it is closed. Closing twice does nothing more. */
export interface Closable {
  close(): Promise<void>;
}

/** Closes what was opened, last first; one failure does not keep the others open. */
export class Lifecycle implements Closable {
  readonly #closers: { readonly name: string; readonly close: () => Promise<void> | void }[] = [];
  #closing: Promise<void> | undefined;

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
      try {
        await close();
      } catch (thrown) {
        failures.push(`${name}: ${messageOf(thrown)}`);
      }
    }
    if (failures.length > 0) throw new Error(`closing failed: ${failures.join("; ")}`);
  }
}
