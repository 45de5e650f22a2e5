import { buffer as readAll } from "node:stream/consumers";
import type { Command } from "commander";

import type { CreateOptions, ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../coordinator/src/client/errors.ts";
import { type MultiStep, steps } from "../../coordinator/src/client/multi.ts";
import { childPath } from "../../coordinator/src/client/paths.ts";
import { print, usageError } from "./io.ts";
import { aclParse, statJson } from "./zk-print.ts";
import { wholeNumber, type ZkVerbs } from "./zk-verbs.ts";

interface CreateFlags {
  readonly ephemeral?: boolean;
  readonly sequential?: boolean;
  readonly container?: boolean;
  readonly ttl?: number;
  readonly acl?: string;
}

/** Adds the verbs of `zk` that change something. */
export function registerZkChanges(zk: Command, verbs: ZkVerbs): void {
  zk.command("create <path> [data]")
    .description("make a znode and print its path; data - is standard input")
    .option("-s, --sequential", "with a number behind its name")
    .option("-e, --ephemeral", "held until interrupted, since it lives as long as the session")
    .option("-c, --container", "deleted by the server once its last child is")
    .option("--ttl <ms>", "deleted by the server when unchanged so long", wholeNumber)
    .option("--acl <list>", "scheme:id:perms[,…] with perms of cdrwa")
    .action((path: string, data: string | undefined, flags: CreateFlags) =>
      verbs.withClient((client) => create(verbs, client, path, data, flags)),
    );
  zk.command("set <path> <data>")
    .description("set the data; data - is standard input")
    .option("--version <n>", "only if this is the version", wholeNumber)
    .action((path: string, data: string, options: { version?: number }) =>
      verbs.withClient(async (client) => {
        const stat = await client.setData(path, await dataOf(verbs, data), options.version);
        if (verbs.options().json === true) {
          await print(verbs.io.stdout, `${JSON.stringify({ path, stat: statJson(stat) })}\n`);
        }
      }),
    );
  zk.command("delete <path>")
    .description("delete a znode")
    .option("--version <n>", "only if this is the version", wholeNumber)
    .option("-R, --recursive", "with everything below")
    .action((path: string, options: { version?: number; recursive?: boolean }) =>
      verbs.withClient(async (client) => {
        if (options.recursive === true) await deleteBelow(client, path);
        await client.delete(path, options.version);
      }),
    );
  zk.command("setAcl <path> <acl>")
    .description("set the ACL, scheme:id:perms[,…] with perms of cdrwa")
    .option("--version <n>", "only if this is the ACL's version", wholeNumber)
    .action((path: string, acl: string, options: { version?: number }) => {
      const entries = aclParse(acl);
      return verbs.withClient(async (client) => {
        await client.setAcl(path, entries, options.version);
      });
    });
  zk.command("multi <operations...>")
    .description("do all or nothing: an operation an argument, - for lines of standard input")
    .addHelpText(
      "after",
      `
Operations:
  check PATH VERSION
  create PATH [DATA]
  create-sequential PATH [DATA]
  set PATH VERSION DATA     (version -1: any)
  delete PATH [VERSION]
DATA is the rest of the argument.`,
    )
    .action((operations: readonly string[]) => multi(verbs, operations));
}

async function create(
  verbs: ZkVerbs,
  client: ZooKeeperClient,
  path: string,
  data: string | undefined,
  flags: CreateFlags,
): Promise<void> {
  const { io } = verbs;
  const options: CreateOptions = {
    mode: modeOf(flags),
    ...(flags.ttl === undefined ? {} : { ttlMs: flags.ttl }),
    ...(flags.acl === undefined ? {} : { acl: aclParse(flags.acl) }),
  };
  const bytes = data === undefined ? null : await dataOf(verbs, data);
  const made = await client.create(path, bytes, options);
  const isJson = verbs.options().json === true;
  const body = JSON.stringify({ path: made.path, stat: statJson(made.stat) });
  await print(io.stdout, `${isJson ? body : made.path}\n`);
  if (flags.ephemeral !== true || io.signal.aborted) return;
  await new Promise((resolve) => io.signal.addEventListener("abort", resolve, { once: true }));
}

function modeOf(flags: CreateFlags): NonNullable<CreateOptions["mode"]> {
  const { ephemeral = false, sequential = false, container = false, ttl } = flags;
  const lifetimes = [ephemeral, container, ttl !== undefined].filter(Boolean).length;
  if (lifetimes > 1) throw usageError("--ephemeral, --container and --ttl exclude each other");
  if (container && sequential) throw usageError("a container cannot be sequential");
  if (container) return "container";
  if (ephemeral) return sequential ? "ephemeralSequential" : "ephemeral";
  if (ttl !== undefined) return sequential ? "persistentSequentialWithTtl" : "persistentWithTtl";
  return sequential ? "persistentSequential" : "persistent";
}

/** Children before parents; one that others delete meanwhile is no failure. */
async function deleteBelow(client: ZooKeeperClient, path: string): Promise<void> {
  for (const name of await childrenOf(client, path)) {
    const child = childPath(path, name);
    await deleteBelow(client, child);
    try {
      await client.delete(child);
    } catch (thrown) {
      if (!isZooKeeperError(thrown, "NONODE")) throw thrown;
    }
  }
}

async function childrenOf(client: ZooKeeperClient, path: string): Promise<readonly string[]> {
  return (await client.getChildren(path)).children;
}

async function multi(verbs: ZkVerbs, operations: readonly string[]): Promise<void> {
  const { io } = verbs;
  const lines: string[] = [];
  for (const operation of operations) {
    if (operation !== "-") lines.push(operation);
    else
      lines.push(
        ...(await readAll(io.stdin))
          .toString()
          .split("\n")
          .filter((line) => line !== ""),
      );
  }
  const parsed = lines.map(stepParse);
  await verbs.withClient(async (client) => {
    const results = await client.multi(parsed);
    const paths = results.map(({ path }, index) => path ?? (parsed[index] as MultiStep).path);
    if (verbs.options().json === true) await print(io.stdout, `${JSON.stringify(paths)}\n`);
    else await print(io.stdout, paths.map((path) => `${path}\n`).join(""));
  });
}

/** Reads one operation of `multi`. Throws a usage error. */
export function stepParse(line: string): MultiStep {
  const [, op = "", path = "", rest = ""] = /^\s*(\S+)\s+(\S+)(?: (.*))?$/s.exec(line) ?? [];
  switch (op) {
    case "check":
      return steps.check(path, wholeNumber(rest.trim()));
    case "create":
      return steps.create(path, rest === "" ? null : Buffer.from(rest));
    case "create-sequential": {
      const data = rest === "" ? null : Buffer.from(rest);
      return steps.create(path, data, { mode: "persistentSequential" });
    }
    case "set": {
      const [, version = "", data = ""] = /^\s*(\S+)(?: (.*))?$/s.exec(rest) ?? [];
      return steps.setData(path, Buffer.from(data), wholeNumber(version));
    }
    case "delete":
      return steps.delete(path, rest.trim() === "" ? undefined : wholeNumber(rest.trim()));
  }
  throw usageError(`"${line}" is not an operation; logkeep zk multi --help lists them`);
}

async function dataOf({ io }: ZkVerbs, data: string): Promise<Buffer> {
  return data === "-" ? await readAll(io.stdin) : Buffer.from(data);
}
