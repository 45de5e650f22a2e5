import type { Core } from "./core.ts";
import type { MultiItem } from "./multi-queue.ts";
import type { MultiOp, ShardFacts } from "./types.ts";

/**
 * Gives up a shard that this replica cannot serve any more, as after a failed disk: its session may live on, and
 * nobody would take over.
 */
export class Release implements MultiItem {
  readonly isDead = false;
  readonly #core: Core;
  readonly #epoch: number;
  #version: number;

  constructor(core: Core, own: { readonly epoch: number; readonly version: number }) {
    this.#core = core;
    this.#epoch = own.epoch;
    this.#version = own.version;
  }

  write(): { readonly op: MultiOp; readonly version: number } {
    return { op: { kind: "hand-over", next: undefined, transferMs: 0 }, version: this.#version };
  }

  done(): void {
    // Others see that the shard has no owner.
  }

  settle({ epoch, holder, owner, version }: ShardFacts, isUnknown: boolean): boolean {
    if (epoch !== this.#epoch || owner !== this.#core.self) return true;
    // The owner znode went with its session: the others see it.
    if (holder?.isOwnSession !== true) return true;
    if (version === this.#version && !isUnknown) return true;
    this.#version = version;
    return false;
  }
}

/**
 * Whether the znode names this process for what an earlier core of it was, which failed before it could give the shard up: damaged, a core
 * that does not own the shard never takes it over, and while the session lives nobody else does.
 */
export function isNameLeft(
  { isDamaged, multis, replica, self }: Core,
  { holder, inSync, owner }: ShardFacts,
): boolean {
  const isNamed = owner === self && holder?.isOwnSession === true;
  // Whoever is alone in the set gives it to nobody.
  const hasOthers = inSync.some((member) => member !== replica);
  return isDamaged && isNamed && hasOthers && multis.isIdle;
}
