import { Core } from "./core.ts";
import { Release } from "./release.ts";
import { statusOf } from "./replica-status.ts";
import type { Effect, Input, Replica, ReplicaOptions, ReplicaStatus, ShardFacts } from "./types.ts";

/**
 * Stands in for a replica that has failed, until it is opened again from disk: gives the shard up if the znode names this process,
 * so that another member takes it over, and tells owners at once that it does not follow. It writes nothing and trusts nothing
 * of what the failed one knew.
 */
export class StandIn implements Replica {
  readonly #core: Core;
  readonly #reason: string;
  #hasLooked = false;

  constructor(options: Omit<ReplicaOptions, "minInSync">, reason: string) {
    this.#core = new Core(options);
    this.#reason = reason;
    this.#core.role = { kind: "stopped", reason };
  }

  step(nowMs: number, input: Input): readonly Effect[] {
    this.#core.nowMs = nowMs;
    this.#take(input);
    return this.#core.take();
  }

  get wakeAtMs(): number | undefined {
    return this.#core.looks.wakeAtMs;
  }

  get sealable(): ReplicaStatus["end"] {
    return this.#core.log.pointAt(0);
  }

  get status(): ReplicaStatus {
    return statusOf(this.#core, undefined);
  }

  #take(input: Input): void {
    const { links, looks, multis, nowMs } = this.#core;
    switch (input.kind) {
      case "start":
        looks.want();
        break;
      case "tick":
        looks.tick(nowMs);
        break;
      case "view":
        if (looks.answered(input.look)) this.#looked(input.facts);
        break;
      case "view-failed":
        looks.failed(input.look, nowMs);
        break;
      case "outcome":
        multis.outcome(input.multi, input.outcome);
        break;
      case "link":
        if (input.link === undefined) links.delete(input.replica);
        else links.set(input.replica, input.link);
        break;
      case "message":
        if (input.message.kind !== "announce" || links.get(input.from) !== input.link) break;
        this.#core.send(input.from, {
          ...{ kind: "halted", epoch: input.message.epoch, reason: this.#reason },
        });
        break;
      default:
        // Of no concern to who only gives up.
        break;
    }
  }

  #looked(facts: ShardFacts): void {
    const core = this.#core;
    core.learn(facts);
    core.multis.viewed(facts);
    if (this.#hasLooked) return;
    this.#hasLooked = true;
    const { epoch, holder, inSync, owner, version } = facts;
    const isOwner = owner === core.self && holder?.isOwnSession === true;
    // Whoever is alone in the set gives it to nobody.
    const hasOthers = inSync.some((member) => member !== core.replica);
    if (isOwner && hasOthers) core.multis.add(new Release(core, { epoch, version }));
  }
}
