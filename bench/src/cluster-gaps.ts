// The longest gap that a client sees when a node of three is killed: SIGKILL, again and again, under four shippers that send to any node
// that runs. First nodes that do not lead the coordinator's ensemble, then the one that does. Prints JSON lines, medians last.
//   node bench/src/cluster-gaps.ts [--rounds 10] [--kinds follower,leader] [--shards 12]
import { connect } from "node:net";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { Nodes } from "../../test/cluster/nodes.ts";
import { Shippers } from "../../test/cluster/shippers.ts";
import type { Service } from "../../test/service.ts";
import { quantile } from "./shipping.ts";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "10" },
    kinds: { type: "string", default: "follower,leader" },
    shards: { type: "string", default: "12" },
  },
});

const ids = [1, 2, 3];

/** Between two looks at who leads, in milliseconds: what the figures are exact to. */
const lookMs = 20;

/** A cluster that was just started again gets so long to share its owners out. */
const restMs = 6_000;

/** No gap is so long. */
const gapMsMax = 60_000;

async function isLeading({ coordinator }: Service): Promise<boolean> {
  const { hostname, port } = new URL(`tcp://${coordinator}`);
  const answer = await new Promise<string>((resolve) => {
    let text = "";
    const socket = connect(Number(port), hostname, () => socket.write("srvr"));
    socket.setTimeout(1_000, () => socket.destroy());
    socket.setEncoding("utf8").on("data", (more: string) => {
      text += more;
    });
    socket.on("error", () => undefined);
    socket.once("close", () => resolve(text));
  });
  return /^Mode: leader$/m.test(answer);
}

/** Resolves with the node whose coordinator leads. */
async function leaderOf(nodes: Nodes): Promise<number> {
  for (const endMs = performance.now() + gapMsMax; performance.now() < endMs; await sleep(lookMs)) {
    for (const id of ids) {
      const node = nodes.node(id);
      if (node.isRunning && (await isLeading(node))) return id;
    }
  }
  throw new Error(`nobody leads\n${nodes.log}`);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** One death; gives what the shippers saw of it. */
async function round(nodes: Nodes, shippers: Shippers, kind: string): Promise<number> {
  const leader = await leaderOf(nodes);
  const others = ids.filter((id) => id !== leader);
  const victim = kind === "leader" ? leader : others[Math.floor(Math.random() * others.length)];
  await sleep(Math.random() * 1_000);
  shippers.takeGapMs();
  const killedMs = performance.now();
  await nodes.node(victim as number).kill();
  const ledMs = kind === "leader" ? await leaderOf(nodes).then(() => performance.now()) : killedMs;
  // Each of the four has been answered at least twice by then.
  await shippers.moreOfEach(3);
  const gapMs = Math.round(shippers.takeGapMs());
  const electionMs = Math.round(ledMs - killedMs);
  console.log(JSON.stringify({ kind, victim, gapMs, electionMs, load: loadavg()[0] }));
  await nodes.startNode(victim as number);
  await nodes.serving();
  await sleep(restMs);
  return kind === "leader" ? gapMs - electionMs : gapMs;
}

const nodes = await Nodes.start({
  count: ids.length,
  args: ["--set", `storage.shards=${options.shards}`],
});
const shippers = new Shippers({ targets: () => nodes.running() });
await shippers.more(400);
await sleep(restMs);
for (const kind of options.kinds.split(",")) {
  const gaps: number[] = [];
  for (let at = 0; at < Number(options.rounds); at++) {
    gaps.push(await round(nodes, shippers, kind));
  }
  const counted = kind === "leader" ? "from the new leader on" : "from the death on";
  const row = { kind, counted, gapMsMedian: quantile(gaps, 0.5), gapMsMax: Math.max(...gaps) };
  console.log(JSON.stringify(row));
}
await Promise.all([nodes.close(), shippers.end()]);
