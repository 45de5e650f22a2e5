// Goal: whatever comes on a member's ports, and however many connections say nothing, clients of all members are served
// and no acknowledged write is lost.
// Method: an ensemble under a light load; seeded frames, whole, changed and cut, on the client, quorum and election ports of
// all members; half-open connections while a leader dies; many sessions that go without a word. Then `judge` as ever.
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { encode } from "../../coordinator/src/wire/codec.ts";
import { opCodes, xids } from "../../coordinator/src/wire/constants.ts";
import { electionWrite, initialWrite } from "../../coordinator/src/wire/election.ts";
import {
  LearnerInfo,
  packetTypes,
  packetWrite,
  quorumProtocolVersion,
} from "../../coordinator/src/wire/quorum.ts";
import { ConnectRequest, RequestHeader } from "../../coordinator/src/wire/records.ts";
import { JuteWriter } from "../../coordinator/src/wire/writer.ts";
import type { Prng } from "../../kit/src/prng.ts";
import type { Ensemble } from "./ensemble.ts";
import type { Member } from "./member.ts";
import { story } from "./story.ts";

/** On each kind of port. */
const frames = Number(process.env["LOGKEEP_FUZZ_FRAMES"] ?? 10_000);
const framesEach = 20;
/** Connections of each kind. */
const idle = Number(process.env["LOGKEEP_IDLE"] ?? 300);

const lengths = [-1, -(2 ** 31), 2 ** 31 - 1, 0x100000, 0x1000000, 0];
const connectWithinMs = 2_000;

type Draw = (prng: Prng) => Buffer;

function written(write: (to: JuteWriter) => void): Buffer {
  const writer = new JuteWriter();
  write(writer);
  return writer.copy();
}

function framed(bytes: Buffer, length = bytes.length): Buffer {
  const head = Buffer.alloc(4);
  head.writeInt32BE(length);
  return Buffer.concat([head, bytes]);
}

const hello = framed(
  encode(ConnectRequest, {
    protocolVersion: 0,
    lastZxidSeen: 0n,
    timeoutMs: 4_000,
    sessionId: 0n,
    password: Buffer.alloc(16),
    readOnly: false,
  }),
);

const ping = framed(encode(RequestHeader, { xid: xids.ping, type: opCodes.ping }));

/** A request of any type but those that change what the load reads, with a body of nothing known. */
function request(prng: Prng): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(prng.below(1_000), 0);
  const type = prng.pick([...Object.values(opCodes), prng.below(1 << 30)]);
  head.writeInt32BE(type, 4);
  return framed(
    Buffer.concat([head, noise(prng)]),
    prng.chance(0.03) ? prng.pick(lengths) : undefined,
  );
}

/** Somebody unknown who begins as an observer does, so that what follows is read. */
function learner(prng: Prng): Buffer {
  const info = { protocolVersion: quorumProtocolVersion, configVersion: 0n };
  const serverId = BigInt(200 + prng.below(50));
  return written((to) =>
    packetWrite(to, packetTypes.observerInfo, 0, encode(LearnerInfo, { ...info, serverId })),
  );
}

function packet(prng: Prng): Buffer {
  const type = prng.pick([...Object.values(packetTypes), prng.below(100)]);
  const zxid = prng.pick([-1, 0, prng.below(1 << 30), 2 ** 32, Number.MAX_SAFE_INTEGER]);
  const bytes = written((to) => packetWrite(to, type, zxid, noise(prng)));
  if (prng.chance(0.1)) bytes.writeInt32BE(prng.pick(lengths), 12);
  return bytes;
}

function caller(prng: Prng): Buffer {
  return written((to) =>
    initialWrite(to, 200 + prng.below(50), [`127.0.0.1:${1 + prng.below(9)}`]),
  );
}

function notification(prng: Prng): Buffer {
  const state = prng.pick(["looking", "following", "leading", "observing"] as const);
  const number = () => prng.pick([0, 1, prng.below(300), Number.MAX_SAFE_INTEGER]);
  const vote = { leader: number(), zxid: number(), peerEpoch: number() };
  const message = { state, vote, electionEpoch: number(), config: prng.pick(["", "server.x"]) };
  const bytes = written((to) => electionWrite(to, message));
  return framed(bytes, prng.chance(0.05) ? prng.pick(lengths) : undefined);
}

function noise(prng: Prng): Buffer {
  return Buffer.from(
    Array.from({ length: prng.below(60) }, () => prng.pick([0, 0, 0, 1, 47, 255])),
  );
}

/** What is good, changed in a few bytes, or cut. */
function spoilt(prng: Prng, bytes: Buffer): Buffer {
  for (let flips = prng.below(4); flips > 0 && bytes.length > 0; flips--) {
    bytes[prng.below(bytes.length)] = prng.below(256);
  }
  return prng.chance(0.1) ? bytes.subarray(0, prng.below(bytes.length)) : bytes;
}

const ports: readonly {
  readonly of: (member: Member, ensemble: Ensemble) => number;
  readonly opening: Draw;
  readonly next: Draw;
}[] = [
  { of: ({ port }) => port, opening: () => Buffer.from(hello), next: request },
  { of: (member, ensemble) => ensemble.peerPortsOf(member).quorum, opening: learner, next: packet },
  {
    of: (member, ensemble) => ensemble.peerPortsOf(member).election,
    opening: caller,
    next: notification,
  },
];

/** Undefined when nobody takes it in time. */
function dial({ host }: Member, port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port }, () => resolve(socket));
    socket.on("error", () => undefined);
    socket.once("close", () => resolve(undefined));
    socket.resume();
    setTimeout(() => {
      if (socket.connecting) socket.destroy();
    }, connectWithinMs).unref();
  });
}

story(`${frames} hostile frames on each kind of port hurt nobody`, { members: 3 }, async (told) => {
  const { ensemble, prng, workload } = told;
  for (const { of, opening, next } of ports) {
    for (let sent = 0; sent < frames; sent += framesEach) {
      const member = prng.pick(ensemble.members);
      const socket = await dial(member, of(member, ensemble));
      if (socket === undefined) continue;
      if (prng.chance(0.9)) socket.write(opening(prng));
      for (let i = 0; i < framesEach; i++) socket.write(spoilt(prng, next(prng)));
      if (prng.chance(0.5)) socket.end();
      setTimeout(() => socket.destroy(), prng.below(30));
    }
    await workload.answered(100);
    await ensemble.serving();
  }
});

story(
  `${idle} half-open connections on each port keep nobody out`,
  { members: 3 },
  async (told) => {
    const { ensemble, workload } = told;
    const open: Socket[] = [];
    for (const member of ensemble.members) {
      for (const { of } of ports) {
        for (let i = 0; i < idle; i++) {
          const socket = await dial(member, of(member, ensemble));
          if (socket === undefined) continue;
          open.push(socket);
          // Half of something on every second.
          if (i % 2 === 0) socket.write(Buffer.from([0, 0, 0]));
        }
      }
    }
    const leader = await ensemble.serving();
    await leader.kill();
    await ensemble.serving();
    await workload.answered(100);
    leader.start();
    await ensemble.serving();
    for (const socket of open) socket.destroy();
  },
);

story(`${idle} sessions that end all at once hold nobody up`, { members: 3 }, async (told) => {
  const { ensemble, workload } = told;
  const open: Socket[] = [];
  const sessions = async (): Promise<number> => {
    const leader = await ensemble.serving();
    const said = /^zk_global_sessions\s(\d+)$/m.exec(await leader.word("mntr"))?.[1];
    // A busy leader is asked again.
    return said === undefined ? sessions() : Number(said);
  };
  const clients = await sessions();
  for (let i = 0; i < idle; i++) {
    const member = ensemble.members[i % ensemble.members.length] as Member;
    const socket = await dial(member, member.port);
    socket?.write(hello);
    if (socket !== undefined) open.push(socket);
  }
  // Else those that were opened first would end before the last one is.
  const pings = setInterval(() => {
    for (const socket of open) socket.write(ping);
  }, 500);
  const most = open.length * 0.8;
  const deadline = performance.now() + 200_000;
  try {
    while ((await sessions()) - clients < most) {
      assert(performance.now() < deadline, `no sessions of ${open.length} connections`);
      await sleep(100);
    }
  } finally {
    clearInterval(pings);
    for (const socket of open) socket.destroy();
  }
  while ((await sessions()) - clients > open.length - most) {
    assert(performance.now() < deadline, "sessions that nobody has do not end");
    await sleep(100);
  }
  await workload.answered(100);
});
