import { setTimeout as sleep } from "node:timers/promises";
import { opCodes } from "../../coordinator/src/wire/constants.ts";
import * as records from "../../coordinator/src/wire/records.ts";
import type { Member } from "./member.ts";
import { ClientSession, type Outcome } from "./session.ts";

/** What one member shows, by path: data, the whole Stat and the ACL, as text. */
export type Tree = ReadonlyMap<string, string>;

const readMsMax = 90_000;

/** A busy machine's member may lose its leader for a moment, and its clients with it: then it is asked again. */
const triesMax = 10;

/** A session with this member alone. It is abandoned when `deed` is done. */
export async function withMember<T>(
  { host, port }: Pick<Member, "host" | "port">,
  deed: (session: ClientSession) => Promise<T>,
): Promise<T> {
  const ignore = (): void => undefined;
  const listener = { attached: ignore, detached: ignore, expired: ignore, event: ignore };
  const place = { addresses: [{ host, port }], first: 0, timeoutMs: 20_000, silenceMsMax: 20_000 };
  const session = new ClientSession(place, listener);
  try {
    if (!(await session.ready(performance.now() + readMsMax))) {
      throw new Error(`${host}:${port} takes no client`);
    }
    return await deed(session);
  } finally {
    await session.close();
  }
}

/** Everything that a member shows once it has what was committed when it was asked. */
export async function treeOf(member: Pick<Member, "host" | "port">): Promise<Tree> {
  for (let tries = 1; ; tries++) {
    try {
      return await readTree(member);
    } catch (thrown) {
      if (tries === triesMax) throw thrown;
      await sleep(300);
    }
  }
}

function readTree(member: Pick<Member, "host" | "port">): Promise<Tree> {
  return withMember(member, async (session) => {
    const { PathRequest, PathResponse } = records;
    taken(await session.ask(opCodes.sync, PathRequest, { path: "/" }, PathResponse));
    const found = new Map<string, string>();
    const left = ["/"];
    for (let path = left.pop(); path !== undefined; path = left.pop()) {
      const shown = await nodeOf(session, path);
      // Each member writes this one when it starts.
      const isOwn = path === "/zookeeper/config";
      found.set(path, isOwn ? shown.text.replace(/ mtime=\w+/, "") : shown.text);
      const parent = path === "/" ? "" : path;
      left.push(...shown.children.map((name) => `${parent}/${name}`));
    }
    return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

async function nodeOf(
  session: ClientSession,
  path: string,
): Promise<{ readonly text: string; readonly children: readonly string[] }> {
  const query = { path, watch: false };
  const { WatchedRequest, DataResponse, AclResponse, Children2Response } = records;
  const printed = {
    read: (from: Parameters<typeof DataResponse.read>[0]) => print(DataResponse.read(from)),
    write: never,
  };
  const [data, acl, children] = await Promise.all([
    session.ask(opCodes.getData, WatchedRequest, query, printed),
    session.ask(opCodes.getACL, records.PathRequest, { path }, AclResponse),
    session.ask(opCodes.getChildren2, WatchedRequest, query, Children2Response),
  ]);
  const rights = JSON.stringify(taken(acl).acl);
  return { text: `${taken(data)} ${rights}`, children: taken(children).children };
}

function never(): never {
  throw new Error("an answer is only read");
}

function print({ data, stat }: records.DataResponse): string {
  const numbers = Object.entries(stat).map(([name, value]) => `${name}=${value.toString(16)}`);
  return `${data === null ? "null" : JSON.stringify(Buffer.from(data).toString())} ${numbers.join(" ")}`;
}

function taken<T>(outcome: Outcome<T>): T {
  if (outcome.kind === "ok") return outcome.value;
  throw new Error(`a read ended as ${JSON.stringify(outcome)}`);
}

/** Where two trees differ: a line a difference, the first few. */
export function differences(one: Tree, other: Tree): string[] {
  const paths = [...new Set([...one.keys(), ...other.keys()])].sort();
  return paths
    .filter((path) => one.get(path) !== other.get(path))
    .slice(0, 10)
    .map((path) => `${path}\n  ${one.get(path) ?? "-"}\n  ${other.get(path) ?? "-"}`);
}
