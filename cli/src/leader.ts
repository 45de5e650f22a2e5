import { setTimeout as sleep } from "node:timers/promises";
import { type ClusterAnswer, clusterAnswerSchema } from "../../api/src/answers.ts";
import type { ServiceClient } from "./client.ts";
import { type CliIo, print } from "./io.ts";

/** What takes longer waits for something: changes are written in milliseconds. */
const sayAfterMs = 1000;

/** Whether the coordinator has a leader. While it has none, what nodes and shards are said to be is what they last were. */
export function isLed({ state, availability }: ClusterAnswer["coordinator"]): boolean {
  return state !== "none" && (availability === undefined || availability.state === "led");
}

export const noLeader =
  "the coordinator has no leader, which it has while most of its members are there and reach each other";

/** The outcome of what needs the coordinator; where it takes long and there is no leader, stderr is told what it waits for. */
export async function sayingWhy<T>(io: CliIo, client: ServiceClient, work: Promise<T>): Promise<T> {
  const over = new AbortController();
  const said = say(io, client, AbortSignal.any([over.signal, io.signal]));
  try {
    return await work;
  } finally {
    over.abort();
    await said;
  }
}

async function say(io: CliIo, client: ServiceClient, signal: AbortSignal): Promise<void> {
  try {
    await sleep(sayAfterMs, undefined, { signal });
    const answer = await client.json(client.urlOf("/api/v1/cluster"), { signal });
    const parsed = clusterAnswerSchema.safeParse(answer);
    if (!parsed.success || isLed(parsed.data.coordinator) || signal.aborted) return;
    await print(io.stderr, `waiting: ${noLeader}\n`);
  } catch {
    // Whoever waits hears from the request itself what is wrong.
  }
}
