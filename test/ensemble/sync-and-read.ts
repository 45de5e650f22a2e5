import { setTimeout as sleep } from "node:timers/promises";
import { opCodes } from "../../coordinator/src/wire/constants.ts";
import * as records from "../../coordinator/src/wire/records.ts";
import type { Member } from "./member.ts";
import type { Notes } from "./notes.ts";
import { ClientSession } from "./session.ts";

/** Notes what a register shows behind a sync, both asked for at once. Says whether both were answered. */
export async function syncAndRead(
  session: ClientSession,
  { registers }: Notes,
  path: string,
): Promise<boolean> {
  const start = performance.now();
  const { PathRequest, PathResponse, WatchedRequest } = records;
  const [synced, read] = await Promise.all([
    session.ask(opCodes.sync, PathRequest, { path }, PathResponse),
    session.ask(opCodes.getData, WatchedRequest, { path, watch: false }, Shown),
  ]);
  if (synced.kind !== "ok" || read.kind !== "ok") return false;
  const call = { kind: "read", ...read.value } as const;
  registers.get(path)?.push({ start, end: performance.now(), call });
  return true;
}

/**
 * While `deed` goes on, a client of this member alone asks it again and again for what is behind a sync, and does not wait for the
 * answers: those to what it asked last come from a member that wakes up and knows nothing yet.
 */
export async function whileAsked(
  member: Member,
  notes: Notes,
  deed: () => Promise<void>,
): Promise<void> {
  const ignore = (): void => undefined;
  const session = new ClientSession(
    { addresses: [member], first: 0, timeoutMs: 20_000, silenceMsMax: 20_000 },
    { attached: ignore, detached: ignore, expired: ignore, event: ignore },
  );
  const [path = ""] = notes.registers.keys();
  const asked: Promise<boolean>[] = [];
  const over = new AbortController();
  await session.ready(performance.now() + 20_000);
  const asking = (async () => {
    while (!over.signal.aborted) {
      asked.push(syncAndRead(session, notes, path));
      await sleep(25);
    }
  })();
  try {
    await deed();
  } finally {
    over.abort();
    await asking;
    // Whatever is not answered by now is lost.
    await Promise.race([Promise.all(asked), sleep(1_000)]);
    session.abandon();
  }
}

const Shown = {
  read: (from: Parameters<typeof records.DataResponse.read>[0]) => {
    const { data, stat } = records.DataResponse.read(from);
    return { value: Buffer.from(data ?? []).toString(), version: stat.version };
  },
  write: (): never => {
    throw new Error("an answer is only read");
  },
};
