import { connect } from "node:net";
import type { Command } from "commander";

import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../coordinator/src/client/errors.ts";
import { childPath, parseConnectString } from "../../coordinator/src/client/paths.ts";
import { CliExit, print, usageError } from "./io.ts";
import { aclText, dataJson, statJson, statText } from "./zk-print.ts";
import { wholeNumber, type ZkVerbs } from "./zk-verbs.ts";

/** Bytes of an answer to a four-letter word that are printed; `wchp` of a busy server is long. */
const answerBytesMax = 64 * 1024 * 1024;

/** Adds the verbs of `zk` that change nothing. */
export function registerZkReads(zk: Command, verbs: ZkVerbs): void {
  zk.command("ls <path>")
    .description("list the children, sorted")
    .option("-R, --recursive", "every path below")
    .action((path: string, options: { recursive?: boolean }) =>
      verbs.withClient((client) => list(verbs, client, path, options.recursive === true)),
    );
  zk.command("get <path>")
    .description("print the data, byte for byte")
    .option("--stat", "and the stat, after it")
    .action((path: string, options: { stat?: boolean }) =>
      verbs.withClient((client) => get(verbs, client, path, options.stat === true)),
    );
  zk.command("stat <path>")
    .description("print versions, zxids and times")
    .action((path: string) => verbs.withClient((client) => stat(verbs, client, path)));
  zk.command("getAcl <path>")
    .description("print the ACL, scheme:id:perms a line")
    .action((path: string) => verbs.withClient((client) => getAcl(verbs, client, path)));
  zk.command("sync [path]")
    .description("wait until the server has every change that was committed before")
    .action((path: string | undefined) => verbs.withClient((client) => client.sync(path)));
  zk.command("watch <path>")
    .description("print changes of a znode and its children until interrupted")
    .option("-R, --recursive", "of everything below, too")
    .option("--count <n>", "end after so many changes", wholeNumber)
    .action((path: string, options: { recursive?: boolean; count?: number }) =>
      verbs.withClient((client) => watch(verbs, client, path, options)),
    );
  zk.command("4lw <word>")
    .description("send a four-letter word, such as ruok, srvr, stat, mntr")
    .action((word: string) => fourLetters(verbs, word));
}

async function list(
  { io, options }: ZkVerbs,
  client: ZooKeeperClient,
  path: string,
  isRecursive: boolean,
): Promise<void> {
  const found: string[] = [];
  const closed: string[] = [];
  if (isRecursive) await listBelow(client, path, { found, closed });
  else found.push(...(await client.getChildren(path)).children);
  found.sort();
  if (options().json === true) await print(io.stdout, `${JSON.stringify(found)}\n`);
  else await print(io.stdout, found.map((each) => `${each}\n`).join(""));
  if (closed.length > 0) {
    const text = `NOAUTH at ${closed.join(", ")}: what is below is not listed; --auth user:password gives an identity`;
    throw new CliExit(1, text);
  }
}

interface Listing {
  readonly found: string[];
  /** Znodes whose ACL does not let their children be listed. */
  readonly closed: string[];
}

/** One level after the other, the requests of a level side by side. */
async function listBelow(client: ZooKeeperClient, path: string, listing: Listing): Promise<void> {
  for (let level: readonly string[] = [path]; level.length > 0; ) {
    const next: string[] = [];
    for (let at = 0; at < level.length; at += 256) {
      const some = level.slice(at, at + 256);
      const lists = await Promise.all(
        some.map((each) => childrenOrNone(client, each, listing, each === path)),
      );
      for (const [index, children] of lists.entries()) {
        for (const name of children) next.push(childPath(some[index] as string, name));
      }
    }
    for (const each of next) listing.found.push(each);
    level = next;
  }
}

async function childrenOrNone(
  client: ZooKeeperClient,
  path: string,
  { closed }: Listing,
  isTop: boolean,
): Promise<readonly string[]> {
  try {
    return (await client.getChildren(path)).children;
  } catch (thrown) {
    // One below may have been deleted since it was listed, or be closed; the others are listed still.
    if (isTop || !isZooKeeperError(thrown, "NONODE", "NOAUTH")) throw thrown;
    if (thrown.code === "NOAUTH") closed.push(path);
    return [];
  }
}

async function get(
  { io, options }: ZkVerbs,
  client: ZooKeeperClient,
  path: string,
  withStat: boolean,
): Promise<void> {
  const { data, stat: found } = await client.getData(path);
  if (options().json === true) {
    const body = { path, ...dataJson(data), stat: statJson(found) };
    await print(io.stdout, `${JSON.stringify(body)}\n`);
    return;
  }
  if (data !== null) await print(io.stdout, data);
  // A script gets the bytes alone; on a terminal, or with more to come, the line is ended.
  if (io.isTTY || withStat) await print(io.stdout, "\n");
  if (withStat) await print(io.stdout, statText(found));
}

async function stat(
  { io, options }: ZkVerbs,
  client: ZooKeeperClient,
  path: string,
): Promise<void> {
  const found = await client.exists(path);
  if (found === null) throw new CliExit(1, `NONODE at ${path}: there is no such znode`);
  const isJson = options().json === true;
  await print(io.stdout, isJson ? `${JSON.stringify(statJson(found))}\n` : statText(found));
}

async function getAcl(
  { io, options }: ZkVerbs,
  client: ZooKeeperClient,
  path: string,
): Promise<void> {
  const { acl, stat: found } = await client.getAcl(path);
  const entries = acl.map(aclText);
  if (options().json === true) {
    await print(io.stdout, `${JSON.stringify({ acl: entries, aversion: found.aversion })}\n`);
  } else {
    await print(io.stdout, entries.map((entry) => `${entry}\n`).join(""));
  }
}

async function watch(
  { io, options }: ZkVerbs,
  client: ZooKeeperClient,
  path: string,
  { recursive, count = Infinity }: { readonly recursive?: boolean; readonly count?: number },
): Promise<void> {
  const done = Promise.withResolvers<void>();
  let left = count;
  await client.addWatch(
    path,
    recursive === true ? "persistentRecursive" : "persistent",
    (event) => {
      if (left-- <= 0) return;
      const { kind, path: at } = event;
      const line = options().json === true ? JSON.stringify({ kind, path: at }) : `${kind} ${at}`;
      // The server pauses for nobody, so a slow reader is left to the stream's buffer.
      io.stdout.write(`${line}\n`);
      if (left <= 0) done.resolve();
    },
  );
  const stop = (): void => done.resolve();
  io.signal.addEventListener("abort", stop, { once: true });
  if (!io.signal.aborted) await done.promise;
  io.signal.removeEventListener("abort", stop);
}

async function fourLetters({ io, options }: ZkVerbs, word: string): Promise<void> {
  if (!/^[a-z]{4}$/.test(word)) throw usageError(`${word} is not a four-letter word`);
  const { server, timeout } = options();
  const address = parseConnectString(server).servers[0] as { host: string; port: number };
  const answer = await new Promise<Buffer>((resolve, reject) => {
    const socket = connect(address, () => socket.write(word));
    const chunks: Buffer[] = [];
    let bytes = 0;
    socket.setTimeout(timeout * 1000, () => socket.destroy(new Error("no answer in time")));
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > answerBytesMax) socket.destroy(new Error("the answer is too long"));
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(Buffer.concat(chunks)));
  }).catch((thrown: Error) => {
    throw new CliExit(1, `${word} at ${server}: ${thrown.message}`, { cause: thrown });
  });
  if (answer.length === 0)
    throw new CliExit(1, `${server} closed the connection without an answer`);
  const text = answer.toString();
  if (options().json === true)
    await print(io.stdout, `${JSON.stringify({ word, answer: text })}\n`);
  else await print(io.stdout, text.endsWith("\n") ? text : `${text}\n`);
}
