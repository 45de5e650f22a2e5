import { silentLogger } from "../../kit/src/logger.ts";
import type { Effects, Input, Role } from "../src/core/effects.ts";
import type { LinkId } from "../src/core/messages.ts";
import { Peer } from "../src/core/peer.ts";
import type { Proposal } from "../src/core/proposals.ts";
import type { PeerId } from "../src/core/vote.ts";
import type { Member, Membership } from "../src/quorum/members.ts";
import type { ForwardedRequest, ImageSink, ImageSource } from "../src/quorum/ports.ts";
import type { QuorumTls } from "../src/quorum/sockets.ts";
import { TcpQuorumNetwork } from "../src/quorum/tcp-network.ts";
import { encode } from "../src/wire/codec.ts";
import { SnapshotAcls, SnapshotNode, SnapshotSessions } from "../src/wire/files.ts";
import { JuteReader } from "../src/wire/reader.ts";
import { TxnBytes } from "../src/wire/txn-bytes.ts";
import { JuteWriter } from "../src/wire/writer.ts";
import { freePorts } from "./free-ports.ts";

/** Quicker than in life; the limits stay generous, since the machine may be busy. */
const timing = {
  settleTicks: 2,
  repeatTicksMax: 8,
  pingTicks: 5,
  connectTicks: 40,
  initLimitTicks: 400,
  syncLimitTicks: 400,
};
const tickMs = 25;

type Entry = Proposal<TxnBytes>;

/** What a member has on disk; it outlives the member. */
export interface Disk {
  acceptedEpoch: number;
  currentEpoch: number;
  snapshotZxid: number;
  log: Entry[];
}

export function diskOf(log: readonly Entry[] = [], epoch = 0): Disk {
  return { acceptedEpoch: epoch, currentEpoch: epoch, snapshotZxid: 0, log: [...log] };
}

export function entry(zxid: number, text: string): Entry {
  return { zxid, body: new TxnBytes(Buffer.from(text)) };
}

/** A core on the real network, with a disk that is written at once; its tree is the list of what is applied. */
export class TestMember {
  readonly id: PeerId;
  readonly disk: Disk;
  role: Role = { kind: "looking" };
  /** What was applied, as text, in order. */
  applied: string[];
  imagesSent = 0;
  imagesTaken = 0;
  readonly truncated: number[] = [];
  readonly events: Effects<TxnBytes, ForwardedRequest>["events"][number][] = [];
  readonly network: TcpQuorumNetwork;
  readonly #core: Peer<TxnBytes, ForwardedRequest>;
  readonly #queue: Input<TxnBytes, ForwardedRequest>[] = [];
  readonly #images = new Map<number, Entry[]>();
  #timer: NodeJS.Timeout | undefined;
  #isBusy = false;
  #isDown = false;

  constructor(
    id: PeerId,
    membership: Membership,
    disk: Disk,
    options: { readonly tls?: QuorumTls | undefined; readonly recentMax?: number } = {},
  ) {
    this.id = id;
    this.disk = disk;
    this.applied = disk.log.map(textOf);
    this.network = new TcpQuorumNetwork(
      {
        self: id,
        members: () => membership,
        host: "127.0.0.1",
        tls: options.tls,
        initLimitMs: 5_000,
        logger: silentLogger,
      },
      {
        notified: (from, notification) => this.input({ kind: "notification", from, notification }),
        linkUp: (link, opened) => this.input({ kind: "linkUp", link, opened }),
        linkDown: (link) => this.input({ kind: "linkDown", link }),
        linkRefused: () => this.input({ kind: "linkRefused" }),
        messages: (link, messages) => {
          for (const message of messages) this.input({ kind: "message", link, message });
        },
        imageBegin: (_link, zxid) => this.#sink(zxid),
        failed: (error) => {
          throw error;
        },
      },
    );
    const voters = membership.members.filter(({ role }) => role === "participant");
    this.#core = new Peer<TxnBytes, ForwardedRequest>(
      id,
      voters.map((each) => each.id),
      {
        acceptedEpoch: disk.acceptedEpoch,
        currentEpoch: disk.currentEpoch,
        zxidLast: disk.log.at(-1)?.zxid ?? disk.snapshotZxid,
        snapshotZxid: disk.snapshotZxid,
        recent: disk.log.filter(({ zxid }) => zxid >= disk.snapshotZxid),
      },
      { timing, recentMax: options.recentMax ?? 500 },
    );
  }

  get isServing(): boolean {
    return ["leading", "following", "observing"].includes(this.role.kind);
  }

  async start(): Promise<void> {
    await this.network.listen();
    this.input({ kind: "start" });
    this.#timer = setInterval(() => this.input({ kind: "tick" }), tickMs);
  }

  /** As if the process ended: no graceful word to anyone. */
  async kill(): Promise<void> {
    this.#isDown = true;
    clearInterval(this.#timer);
    await this.network.end();
  }

  propose(text: string): void {
    this.input({ kind: "propose", body: new TxnBytes(Buffer.from(text)) });
  }

  input(input: Input<TxnBytes, ForwardedRequest>): void {
    if (this.#isDown) return;
    this.#queue.push(input);
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      this.#perform(this.#core.step(next));
    }
    this.#isBusy = false;
    this.network.flush();
  }

  #perform(effects: Effects<TxnBytes, ForwardedRequest>): void {
    const { disk } = this;
    if (effects.truncate !== undefined) this.#truncate(effects.truncate);
    if (effects.install !== undefined) this.#install(effects.install);
    disk.log.push(...effects.append);
    if (effects.epochWrite !== undefined) {
      const { file, epoch } = effects.epochWrite;
      disk[file] = epoch;
      this.#queue.push({ kind: "epochWritten", file, epoch });
    }
    this.applied.push(...effects.load.map(textOf), ...effects.commit.map(textOf));
    for (const { to, notification } of effects.notify) this.network.notify(to, notification);
    for (const { to, message } of effects.send) this.#send(to, message);
    for (const link of effects.close) this.network.close(link);
    if (effects.connect !== undefined) this.network.connect(effects.connect);
    this.events.push(...effects.events);
    if (effects.role !== undefined) this.role = effects.role;
    const last = effects.append.at(-1);
    if (last !== undefined) this.#queue.push({ kind: "written", zxid: last.zxid });
  }

  #send(to: LinkId, message: Effects<TxnBytes, ForwardedRequest>["send"][number]["message"]): void {
    if (message.kind !== "snap") {
      this.network.send(to, message);
      return;
    }
    this.imagesSent++;
    this.network.sendImage(to, message.zxid, imageOf(this.applied));
  }

  #truncate(zxid: number): void {
    this.truncated.push(zxid);
    this.disk.log = this.disk.log.filter((each) => each.zxid <= zxid);
    this.applied = this.disk.log.map(textOf);
    this.#queue.push({ kind: "truncated", zxid });
  }

  #install(zxid: number): void {
    this.imagesTaken++;
    this.disk.snapshotZxid = zxid;
    this.disk.log = [];
    this.applied = (this.#images.get(zxid) ?? []).map(textOf);
    this.#queue.push({ kind: "installed", zxid });
  }

  #sink(zxid: number): ImageSink {
    const pieces: Buffer[] = [];
    return {
      write: async (bytes) => {
        pieces.push(Buffer.from(bytes));
      },
      end: async () => {
        this.#images.set(
          zxid,
          imageTexts(Buffer.concat(pieces)).map((text) => entry(0, text)),
        );
      },
      abandon: () => undefined,
    };
  }
}

function textOf({ body }: Entry): string {
  return body.bytes.toString();
}

const znode = (data: Buffer) =>
  encode(SnapshotNode, {
    data,
    acl: -1,
    stat: {
      czxid: 0,
      mzxid: 0,
      ctime: 0,
      mtime: 0,
      version: 0,
      cversion: 0,
      aversion: 0,
      ephemeralOwner: 0n,
      pzxid: 0,
    },
  });

/** An image with one session, one ACL and a znode for each text, in pieces of one znode. */
export function imageOf(texts: readonly string[]): ImageSource {
  const writer = new JuteWriter();
  writer.int(1);
  writer.long(5n);
  writer.int(30_000);
  writer.int(1);
  writer.long(1n);
  writer.int(1);
  writer.int(31);
  writer.string("world");
  writer.string("anyone");
  writer.string("");
  writer.raw(znode(Buffer.alloc(0)));
  const pieces = [writer.copy()];
  for (const [at, text] of texts.entries()) {
    writer.reset();
    writer.string(`/${at}`);
    writer.raw(znode(Buffer.from(text)));
    pieces.push(writer.copy());
  }
  writer.reset();
  writer.string("/");
  pieces.push(writer.copy());
  return {
    get isDone() {
      return pieces.length === 0;
    },
    next: () => pieces.shift() ?? Buffer.alloc(0),
    abandon: () => {
      pieces.length = 0;
    },
  };
}

/** The data of an image's znodes but the root; it must be an image to the last byte. Throws a `WireError`. */
export function imageTexts(bytes: Buffer): string[] {
  const from = new JuteReader(bytes);
  SnapshotSessions.read(from);
  SnapshotAcls.read(from);
  const texts: string[] = [];
  for (let path = from.string(); path !== "/"; path = from.string()) {
    const { data } = SnapshotNode.read(from);
    if (path !== "") texts.push(Buffer.from(data ?? []).toString());
  }
  from.end();
  return texts;
}

/** Members on free ports of the loopback. */
export async function membershipOf(
  count: number,
  observers: readonly PeerId[] = [],
): Promise<Membership> {
  const ports = await freePorts(count * 2);
  const members = Array.from(
    { length: count },
    (_, at): Member => ({
      id: at + 1,
      addresses: [
        {
          host: "127.0.0.1",
          quorumPort: ports[at * 2] as number,
          electionPort: ports[at * 2 + 1] as number,
        },
      ],
      role: observers.includes(at + 1) ? "observer" : "participant",
      client: undefined,
    }),
  );
  return { members, groups: new Map(), weights: new Map(), version: 0 };
}

/** Asks until the claim holds; a busy machine may take long. */
export async function until(claim: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 60_000;
  while (!claim()) {
    if (Date.now() > end) throw new Error(`${what} did not come true`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
