import { eventTypes } from "../../coordinator/src/wire/constants.ts";

/** One thing that a client saw. `session`: its id in hex; `order`: grows with the frames that the client got. */
export type Seen = { readonly session: string; readonly order: number } & (
  | {
      readonly kind: "read";
      readonly path: string;
      readonly version: number;
      readonly mzxid: number;
      readonly value: string;
      /** The server's last, as the answer's header says. */
      readonly zxid: number;
      readonly isWatched: boolean;
    }
  | {
      readonly kind: "wrote";
      readonly path: string;
      readonly version: number;
      readonly mzxid: number;
      readonly value: string;
      /** Grows with what the client sent. */
      readonly sent: number;
    }
  /** An ephemeral of its own, by its czxid; 0 when it is not there. */
  | { readonly kind: "own"; readonly path: string; readonly czxid: number }
  | { readonly kind: "event"; readonly path: string; readonly type: number }
  /** The connection broke, and every watch with it. */
  | { readonly kind: "detached" }
);

/** What the sessions of all clients saw that no ensemble may show; empty when all is well. Pure. */
export function faultsOf(seen: readonly Seen[]): string[] {
  const changes = changesOf(seen);
  const bySession = Map.groupBy(seen, ({ session }) => session);
  return [
    ...disagreements(seen),
    ...[...bySession.values()].flatMap((each) => {
      const sorted = each.toSorted((a, b) => a.order - b.order);
      return [
        ...goesBack(sorted, changes),
        ...outOfOrder(sorted),
        ...watchFaults(sorted),
        ...ownFaults(sorted),
      ];
    }),
  ];
}

/** zxids at which each path was changed, as far as anybody saw it, ascending. */
function changesOf(seen: readonly Seen[]): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, Set<number>>();
  for (const one of seen) {
    if (one.kind !== "read" && one.kind !== "wrote") continue;
    const at = found.get(one.path) ?? new Set();
    found.set(one.path, at.add(one.mzxid));
  }
  return new Map([...found].map(([path, zxids]) => [path, [...zxids].sort((a, b) => a - b)]));
}

/** One version of a znode is one value, written by one txn, for everybody. */
function disagreements(seen: readonly Seen[]): string[] {
  const known = new Map<string, string>();
  const faults = new Set<string>();
  for (const one of seen) {
    if (one.kind !== "read" && one.kind !== "wrote") continue;
    const at = `${one.path} at version ${one.version}`;
    const what = `${one.value} of 0x${one.mzxid.toString(16)}`;
    const before = known.get(at);
    if (before !== undefined && before !== what) faults.add(`${at} is ${before} and ${what}`);
    known.set(at, what);
  }
  return [...faults];
}

/** After a session saw the tree as of some zxid, it never sees it as of an earlier one, at no path. */
function goesBack(
  seen: readonly Seen[],
  changes: ReadonlyMap<string, readonly number[]>,
): string[] {
  const faults: string[] = [];
  let floor = 0;
  for (const one of seen) {
    if (one.kind === "wrote") {
      if (one.mzxid < floor) faults.push(`${place(one)} was written below ${hex(floor)}`);
      floor = Math.max(floor, one.mzxid);
    }
    if (one.kind !== "read") continue;
    if (one.zxid < floor) {
      faults.push(`${place(one)} was answered at ${hex(one.zxid)} after ${hex(floor)}`);
    }
    const later = changes.get(one.path)?.find((zxid) => zxid > one.mzxid);
    if (later !== undefined && later <= floor) {
      faults.push(`${place(one)} shows ${hex(one.mzxid)}, not ${hex(later)}, after ${hex(floor)}`);
    }
    floor = Math.max(floor, one.zxid, one.mzxid);
  }
  return faults;
}

/** What a session wrote is done in the order in which it was sent. */
function outOfOrder(seen: readonly Seen[]): string[] {
  const writes = seen.filter((one) => one.kind === "wrote").sort((a, b) => a.sent - b.sent);
  return writes.flatMap((one, at) => {
    const before = writes[at - 1];
    if (before === undefined || before.mzxid < one.mzxid) return [];
    return [`${place(one)} was done before ${before.path}, which was sent first`];
  });
}

/** A watch fires before its session reads what it fires for, and once. */
function watchFaults(seen: readonly Seen[]): string[] {
  const faults: string[] = [];
  /** The version that each watch was set at. */
  const watched = new Map<string, number>();
  for (const one of seen) {
    if (one.kind === "detached") watched.clear();
    if (one.kind === "event" && one.type === eventTypes.dataChanged) {
      if (!watched.delete(one.path)) faults.push(`${place(one)} fired without a watch`);
    }
    if (one.kind !== "read") continue;
    const since = watched.get(one.path);
    if (since !== undefined && since < one.version) {
      faults.push(`${place(one)} was read at version ${one.version} before its watch fired`);
      watched.delete(one.path);
    }
    if (one.isWatched) watched.set(one.path, one.version);
  }
  return faults;
}

/** An ephemeral is there, and the same, as long as its session is answered. */
function ownFaults(seen: readonly Seen[]): string[] {
  const made = new Map<string, number>();
  return seen.flatMap((one) => {
    if (one.kind !== "own") return [];
    const before = made.get(one.path);
    made.set(one.path, one.czxid);
    if (before === undefined || before === one.czxid) return [];
    return [`${place(one)} was made at ${hex(before)} and is of ${hex(one.czxid)}`];
  });
}

function place(one: Seen): string {
  return `${"path" in one ? one.path : ""} (session ${one.session}, frame ${one.order})`;
}

function hex(zxid: number): string {
  return `0x${zxid.toString(16)}`;
}
