import type { Redis } from "ioredis";
import { tickStateMs, waiterMs } from "./limits.ts";

/** What a job is to do: evaluate, come again since its rule is evaluated elsewhere, or nothing. */
export type Claim = "run" | "busy" | "done";

export interface ClaimOptions {
  /** Where what is known of the rule's ticks lies. */
  readonly key: string;
  readonly jobId: string;
  /** A job's lock lies at this, its id and `:lock`: BullMQ renews it while the job is under way. */
  readonly jobPrefix: string;
  readonly atMs: number;
  readonly everyMs: number;
  readonly nowMs: number;
}

/**
 * A tick is done when it or a later one of the same interval was; one that lies far ahead is none, the clock was set back. The holder is the job
 * that evaluates the rule, as long as it has its lock. Of the jobs that find it held one waits, and stands for the
 * others.
 */
const claimScript = `
local state = redis.call("HMGET", KEYS[1], "done", "holder", "waiter", "waiterUntil", "every")
local job, at, every, now = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local done = tonumber(state[5] == ARGV[4] and state[1] or "")
if done and done >= at and done <= at + every then return "done" end
local holder = state[2]
if holder and holder ~= job and redis.call("EXISTS", ARGV[2] .. holder .. ":lock") == 1 then
  if state[3] and state[3] ~= job and tonumber(state[4]) > now then return "done" end
  redis.call("HSET", KEYS[1], "waiter", job, "waiterUntil", now + tonumber(ARGV[6]))
  redis.call("PEXPIRE", KEYS[1], ARGV[7])
  return "busy"
end
redis.call("HSET", KEYS[1], "holder", job)
redis.call("HDEL", KEYS[1], "waiter", "waiterUntil")
redis.call("PEXPIRE", KEYS[1], ARGV[7])
return "run"
`;

const doneScript = `
redis.call("HSET", KEYS[1], "done", ARGV[1], "every", ARGV[2])
redis.call("PEXPIRE", KEYS[1], ARGV[3])
`;

/** Asks whether a job may evaluate its rule for a moment: one job a rule and one evaluation a moment, in all processes. */
export async function claimTick(redis: Redis, options: ClaimOptions): Promise<Claim> {
  const { key, jobId, jobPrefix, atMs, everyMs, nowMs } = options;
  const keepMs = tickStateMs + 2 * everyMs;
  const args = [jobId, jobPrefix, atMs, everyMs, nowMs, waiterMs, keepMs];
  return (await redis.eval(claimScript, 1, key, ...args)) as Claim;
}

/** Keeps that the moment was evaluated. */
export async function finishTick(
  redis: Redis,
  { key, atMs, everyMs }: { key: string; atMs: number; everyMs: number },
): Promise<void> {
  await redis.eval(doneScript, 1, key, atMs, everyMs, tickStateMs + 2 * everyMs);
}
