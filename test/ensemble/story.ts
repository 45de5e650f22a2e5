import test from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { missingZooKeeper } from "../servers/zookeeper.ts";
import { Ensemble, type EnsembleOptions } from "./ensemble.ts";
import { type JudgeOptions, judge } from "./judge.ts";
import type { MemberKind } from "./member.ts";
import { missingNetwork } from "./network.ts";
import { Workload } from "./workload.ts";

/** How often each story's faults come: more in soak. */
export const rounds: number = Number(process.env["LOGKEEP_ROUNDS"] ?? "1");

const seed = Number(process.env["SEED"] ?? "1");

/**
 * Whose servers the stories are told of: `LOGKEEP_MEMBERS=apache` tells them of Apache's, by which the checks
 * themselves are checked.
 */
const kind: MemberKind = process.env["LOGKEEP_MEMBERS"] === "apache" ? "apache" : "logkeep";

/** A round may wait for elections of a busy machine; a story has a start and an end beside its rounds. */
const roundMsMax = 120_000;
const aroundMsMax = 300_000;

export interface Told {
  readonly ensemble: Ensemble;
  readonly workload: Workload;
  readonly prng: Prng;
}

export interface StoryOptions extends Omit<EnsembleOptions, "kinds">, JudgeOptions {
  /** A number of members of one kind, or one for each. */
  readonly members: number | readonly MemberKind[];
  readonly clients?: number;
  /** Of sessions. */
  readonly timeoutMs?: number;
}

/** `count` members of the kind that the stories are told of. */
export function membersOf(count: number): MemberKind[] {
  return Array.from({ length: count }, () => kind);
}

/** For a test's `skip`: what these members lack here. */
export function lacking(kinds: readonly MemberKind[], isNetworked: boolean): string | false {
  const java = kinds.includes("apache") ? missingZooKeeper() : false;
  return java === false && isNetworked ? missingNetwork() : java;
}

/**
 * A test in which faults come over an ensemble under load, `rounds` times; at the end of each all members run and hear each
 * other. Then all that the clients noted is judged.
 */
export function story(
  name: string,
  options: StoryOptions,
  round: (told: Told) => Promise<void>,
): void {
  const { members, clients = 9, timeoutMs = 20_000, isNetworked = false } = options;
  const kinds = typeof members === "number" ? membersOf(members) : members;
  const skip = lacking(kinds, isNetworked);
  const timeout = aroundMsMax + rounds * roundMsMax;
  test(name, { skip, timeout }, async (context) => {
    const ensemble = await Ensemble.start({ ...options, kinds });
    context.after(() => ensemble.end());
    const { addresses } = ensemble;
    const workload = await Workload.start({ addresses, clients, seed, timeoutMs });
    context.after(() => workload.abandon());
    try {
      const told = { ensemble, workload, prng: new Prng(seed) };
      await workload.answered(100);
      for (let at = 0; at < rounds; at++) {
        await round(told);
        await workload.answered(100);
      }
      // A deposed leader of Apache's may answer a sync that it was asked for before.
      const isSyncLinearizable = !kinds.includes("apache");
      context.diagnostic(await judge(ensemble, workload, { isSyncLinearizable, ...options }));
    } catch (thrown) {
      const said = thrown instanceof Error ? thrown.message : String(thrown);
      throw new Error(`SEED=${seed}: ${said}\n${ensemble.logs()}`, { cause: thrown });
    }
  });
}
