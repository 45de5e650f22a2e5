import type { ChangeRequest, WriteRequest } from "../../coordinator/src/tree/prepare.ts";
import { ttlMsMax } from "../../coordinator/src/wire/constants.ts";
import type { MultiOp } from "../../coordinator/src/wire/multi.ts";
import type { Acl } from "../../coordinator/src/wire/records.ts";
import type { Prng } from "../../kit/src/prng.ts";

const anyone = { scheme: "world", id: "anyone" };
const open: readonly Acl[] = [{ perms: 31, id: anyone }];

/** Lists that are taken, that take a right away, and that are refused. */
const acls: readonly (readonly Acl[])[] = [
  [],
  [{ perms: 31, id: { scheme: "auth", id: "" } }],
  [{ perms: 31, id: { scheme: "ip", id: "127.0.0.1" } }],
  [{ perms: 31, id: { scheme: "ip", id: "999.1.1.1" } }],
  [{ perms: 31, id: { scheme: "world", id: "other" } }],
  [{ perms: 31, id: { scheme: "digest", id: "nocolon" } }],
  [{ perms: 31, id: { scheme: "none", id: "x" } }],
  [
    { perms: 31, id: { scheme: "digest", id: "a:b" } },
    { perms: 15, id: anyone },
  ],
  [...open, ...open],
  [{ perms: 1, id: anyone }],
  [{ perms: 23, id: anyone }],
];

const parts = ["a", "b", "c"];
const partsOdd = ["", ".", "..", "x\0y", "é", "\u0001", "zookeeper", "long".repeat(20)];
const pathsOdd = ["", "/", "//", "rel", "/a/", "/zookeeper", "/zookeeper/config"];

/** A request of any kind, often one that is refused. Paths are few, so that requests meet. */
export function requestDraw(prng: Prng): WriteRequest {
  if (prng.chance(0.8)) return changeDraw(prng);
  const ops = Array.from({ length: prng.below(5) }, () => multiOpDraw(prng));
  return { op: "multi", ops };
}

function multiOpDraw(prng: Prng): MultiOp {
  const path = pathDraw(prng);
  if (prng.chance(0.2)) return { op: "check", path, version: versionDraw(prng) };
  for (;;) {
    const drawn = changeDraw(prng);
    // Apache refuses the whole multi for flags that are none, before it looks at any part.
    if ("flags" in drawn && drawn.op !== "createTTL" && !(drawn.flags >= 0 && drawn.flags < 5)) {
      continue;
    }
    if (drawn.op !== "setACL" && drawn.op !== "deleteContainer") return drawn;
  }
}

function changeDraw(prng: Prng): ChangeRequest {
  const path = pathDraw(prng);
  const data = prng.chance(0.1) ? null : Buffer.alloc(prng.below(300), prng.below(256));
  const acl = prng.chance(0.85) ? open : prng.pick(acls);
  const version = versionDraw(prng);
  switch (prng.below(11)) {
    case 0:
    case 1:
    case 2:
      return { op: "create", path, data, acl, flags: flagsDraw(prng) };
    case 3:
    case 4:
      return { op: "create2", path, data, acl, flags: flagsDraw(prng) };
    case 5: {
      if (prng.chance(0.5)) return { op: "createContainer", path, data, acl, flags: 4 };
      const ttlMs = prng.pick([1n, 5_000n, 0n, -1n, BigInt(ttlMsMax), BigInt(ttlMsMax) + 1n]);
      return { op: "createTTL", path, data, acl, flags: prng.pick([5, 6]), ttlMs };
    }
    case 6:
    case 7:
      return { op: "delete", path, version };
    case 8:
      return { op: "setACL", path, acl, version };
    case 9:
      return prng.chance(0.2) ? { op: "deleteContainer", path } : { op: "delete", path, version };
    default:
      return { op: "setData", path, data, version };
  }
}

/** Not 4: of a plain create Apache makes no container, and foresees the digest of one. */
function flagsDraw(prng: Prng): number {
  return prng.chance(0.95) ? prng.below(4) : prng.pick([-3, 5, 6, 7, 99]);
}

function versionDraw(prng: Prng): number {
  return prng.chance(0.7) ? -1 : prng.below(5) - 2;
}

function pathDraw(prng: Prng): string {
  if (prng.chance(0.02)) return prng.pick(pathsOdd);
  const names = Array.from({ length: 1 + prng.below(3) }, () =>
    prng.pick(prng.chance(0.97) ? parts : partsOdd),
  );
  return names.map((name) => `/${name}`).join("");
}
