// Goal: on a member that is behind a plain read may be old, and a linearizable one never is.
// Method: a follower that reaches whoever leads through a way of its own, on which what the leader says is held and let go.
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import test, { type TestContext } from "node:test";

import { Prng } from "../../kit/src/prng.ts";
import { ZooKeeperClient } from "../src/client/client.ts";
import type { Member, Membership } from "../src/quorum/members.ts";
import { type Coordinator, startCoordinator } from "../src/server/start.ts";
import { until } from "./ensemble-harness.ts";
import { temporaryDirectory } from "./log-harness.ts";
import { delay } from "./server-harness.ts";

const quorumPort = 22_888;
const electionPort = 23_888;

/** One way of a connection, on which bytes may be held. Nothing is lost. */
class Way {
  readonly #to: Socket;
  #kept: Buffer[] | undefined;

  constructor(from: Socket, to: Socket) {
    this.#to = to;
    from.on("data", (chunk: Buffer) => {
      if (this.#kept === undefined) to.write(chunk);
      else this.#kept.push(chunk);
    });
  }

  hold(): void {
    this.#kept ??= [];
  }

  release(): void {
    for (const chunk of this.#kept ?? []) this.#to.write(chunk);
    this.#kept = undefined;
  }
}

/** Members 1 and 2, and 3 that hears them late when it is wanted. */
interface Lagging {
  readonly leader: Coordinator;
  readonly follower: Coordinator;
  hold(): void;
  release(): void;
}

async function lagging(context: TestContext): Promise<Lagging> {
  const net = `127.${randomInt(2, 250)}.${randomInt(1, 250)}`;
  const directory = temporaryDirectory(context);
  const ways = new Set<Way>();
  const memberOf = (id: number, port: number): Member => ({
    id,
    addresses: [{ host: `${net}.${id}`, quorumPort: port, electionPort }],
    role: "participant",
    client: undefined,
  });
  const detour = async (id: number): Promise<number> => {
    const server = createServer((inner) => {
      const outer = connect({ host: `${net}.${id}`, port: quorumPort });
      new Way(inner, outer);
      const way = new Way(outer, inner);
      ways.add(way);
      for (const [one, other] of [
        [inner, outer],
        [outer, inner],
      ] as const) {
        one.on("error", () => undefined);
        one.on("close", () => {
          ways.delete(way);
          other.destroy();
        });
      }
    });
    server.listen(0, `${net}.${id}`);
    await once(server, "listening");
    context.after(() => server.close());
    return (server.address() as { port: number }).port;
  };
  const start = async (id: number, ports: readonly number[]): Promise<Coordinator> => {
    const members = ports.map((port, at) => memberOf(at + 1, port));
    const membership: Membership = { members, groups: new Map(), weights: new Map(), version: 0 };
    const coordinator = await startCoordinator({
      dataDir: join(directory, String(id)),
      serverId: id,
      tickTimeMs: 200,
      connectionsPerAddress: 0,
      ensemble: {
        membership,
        initLimit: 50,
        // What is held is no silence yet.
        syncLimit: 150,
        listenOnAllIPs: false,
        reconfigEnabled: false,
        standaloneEnabled: true,
      },
    });
    context.after(() => coordinator.close());
    return coordinator;
  };
  const direct = [quorumPort, quorumPort, quorumPort];
  const first = await Promise.all([start(1, direct), start(2, direct)]);
  await until("one leads", () => first.some(({ mode }) => mode === "leader"));
  const detours = await Promise.all([detour(1), detour(2)]);
  const follower = await start(3, [...detours, quorumPort]);
  await until("the third follows", () => follower.mode === "follower");
  return {
    leader: first.find(({ mode }) => mode === "leader")!,
    follower,
    hold: () => {
      for (const way of ways) way.hold();
    },
    release: () => {
      for (const way of ways) way.release();
    },
  };
}

function clientOf(context: TestContext, { address }: Coordinator): ZooKeeperClient {
  const client = new ZooKeeperClient({ connect: `${address.host}:${address.port}` });
  context.after(() => client.close());
  return client;
}

const isLinearizable = { isLinearizable: true };

test("a plain read on a member that is behind is old, and a linearizable one waits for what was written", async (context) => {
  const { leader, follower, hold, release } = await lagging(context);
  const writer = clientOf(context, leader);
  const reader = clientOf(context, follower);
  await writer.create("/x", Buffer.from("old"));
  await reader.sync();
  hold();
  await writer.setData("/x", Buffer.from("new"));
  assert.equal(String((await reader.getData("/x")).data), "old");
  const linearizable = reader.getData("/x", isLinearizable).then(({ data }) => String(data));
  assert.equal(await Promise.race([linearizable, delay(300).then(() => "none")]), "none");
  release();
  assert.equal(await linearizable, "new");
  assert.equal(String((await reader.getData("/x")).data), "new");
});

test("however late a member hears, a linearizable read shows all that was answered before it", async (context) => {
  const { leader, follower, hold, release } = await lagging(context);
  const writer = clientOf(context, leader);
  const reader = clientOf(context, follower);
  const prng = new Prng(Number(process.env["SEED"] ?? 1));
  await writer.create("/x", Buffer.from("0"));
  await reader.sync();
  let written = 0;
  let isOver = false;
  let old = 0;
  const rounds = 25 * Number(process.env["LOGKEEP_ROUNDS"] ?? 1);
  const writing = (async () => {
    while (!isOver) {
      await writer.setData("/x", Buffer.from(String(written + 1)));
      written++;
      await delay(prng.below(4));
    }
  })();
  for (let round = 0; round < rounds; round++) {
    hold();
    const behind = written;
    await delay(5 + prng.below(20));
    // On a busy machine that may be too short for a single write.
    while (written === behind) await delay(1);
    const before = written;
    const [plain, linearizable] = [reader.getData("/x"), reader.getData("/x", isLinearizable)];
    if (Number(String((await plain).data)) < before) old++;
    await delay(prng.below(10));
    release();
    const shown = Number(String((await linearizable).data));
    assert(shown >= before, `${before} was answered, and ${shown} is shown`);
  }
  isOver = true;
  await writing;
  assert(old > 0, "no plain read was old: nothing was shown");
});
