import type { Input } from "../core/effects.ts";
import type { Ensemble } from "../core/ensemble.ts";
import { ensembleParse } from "../quorum/ensembles.ts";
import type { ForwardedRequest } from "../quorum/ports.ts";
import { ByteSlab } from "../wire/byte-slab.ts";
import { TxnBytes } from "../wire/txn-bytes.ts";
import { TxnEntry } from "../wire/txns.ts";
import { JuteWriter } from "../wire/writer.ts";

type Proposed = Input<TxnBytes, ForwardedRequest> & { readonly kind: "propose" };

/** What a leader has prepared this turn, to be proposed at its end. */
export class PreparedTxns {
  readonly #writer = new JuteWriter(4096);
  readonly #slab = new ByteSlab();
  #bodies: TxnBytes[] = [];
  #bytes = 0;
  /** The change of the ensemble among them. */
  #reconfig: { readonly body: TxnBytes; readonly ensemble: Ensemble } | undefined;

  get count(): number {
    return this.#bodies.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get hasReconfig(): boolean {
    return this.#reconfig !== undefined;
  }

  add(entry: TxnEntry): void {
    this.#writer.reset();
    TxnEntry.write(this.#writer, entry);
    const bytes = this.#slab.copy(this.#writer.view());
    const body = new TxnBytes(bytes, entry);
    this.#bodies.push(body);
    this.#bytes += bytes.length;
    const { txn } = entry;
    if (txn.type === "reconfig") {
      const ensemble = ensembleParse(Buffer.from(txn.data!).toString());
      this.#reconfig = { body, ensemble };
    }
  }

  /** Everything, in order; nothing is left. A change of the ensemble goes alone: what follows it is decided by others. */
  take(): readonly Proposed[] {
    const all = this.#bodies;
    const reconfig = this.#reconfig;
    this.clear();
    if (all.length === 0) return [];
    if (reconfig === undefined) return [{ kind: "propose", bodies: all }];
    const at = all.indexOf(reconfig.body);
    const proposed: Proposed[] = [];
    if (at > 0) proposed.push({ kind: "propose", bodies: all.slice(0, at) });
    proposed.push({ kind: "propose", ...reconfig });
    if (at + 1 < all.length) proposed.push({ kind: "propose", bodies: all.slice(at + 1) });
    return proposed;
  }

  clear(): void {
    this.#bodies = [];
    this.#bytes = 0;
    this.#reconfig = undefined;
  }
}
