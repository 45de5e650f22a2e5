import express, { type Request } from "express";
import type { z } from "zod";
import {
  moveRequestSchema,
  nodePath,
  recoverRequestSchema,
  type ShardsAnswer,
  shardPath,
} from "../../../api/src/cluster.ts";
import { replicaOf } from "../../../cluster/src/node.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import { shardsListed } from "../cluster-view.ts";
import { nodeStatuses, nodeStatusOf } from "../node-status.ts";
import type { App } from "./app.ts";
import type { ServeOptions } from "./serve.ts";

/** A request of an operator: numbers of nodes. */
const bodyMaxBytes = 1024;

export interface ClusterDeps
  extends Pick<ServeOptions, "cluster" | "hearing" | "identity" | "peers" | "settings" | "logger"> {
  /** Undefined where the node has no records. */
  readonly stored: ServeOptions["stored"] | undefined;
}

/** `/api/v1/cluster/shards`, and what an operator asks of nodes and shards. */
export function mountCluster(app: App, deps: ClusterDeps): void {
  const { cluster } = deps;
  app.mount("get", "/api/v1/cluster/shards", "read", async (_, response) => {
    response.json(await shardsAnswer(deps));
  });
  const path = "/api/v1/cluster/shards/:shard/move";
  app.express.use("/api/v1/cluster/shards", express.json({ limit: bodyMaxBytes }));
  app.mount("post", path, "admin", async (request, response, { key }) => {
    const { shard } = parsed(shardPath, request.params);
    const { from, to } = parsed(moveRequestSchema, request.body);
    await cluster.requestMove({ shard, from, to }, key);
    response.status(204).end();
  });
  app.mount(
    "post",
    "/api/v1/cluster/shards/:shard/recover",
    "admin",
    async (request, response, { key }) => {
      const { shard } = parsed(shardPath, request.params);
      parsed(recoverRequestSchema, request.body);
      response.json({ lost: await recover(deps, shard, key) });
    },
  );
  for (const verb of ["drain", "undrain"] as const) {
    const at = `/api/v1/cluster/nodes/:node/${verb}`;
    app.mount("post", at, "admin", async (request, response, { key }) => {
      const { node } = parsed(nodePath, request.params);
      await cluster.setDrained(node, verb === "drain", key);
      response.status(204).end();
    });
  }
}

/** Returns the members of the set that no longer count. Throws `cluster.refused`. */
async function recover(
  { cluster, stored, identity }: ClusterDeps,
  shard: number,
  by: string | undefined,
): Promise<string[]> {
  const refuse = (what: string): ServiceError =>
    new ServiceError("cluster.refused", what, { shard });
  if (shard >= cluster.shards) throw refuse("there is no such shard");
  const self = replicaOf(identity);
  const place = cluster.topology.shard(shard);
  if (stored === undefined || place?.replicas.includes(self) !== true) {
    throw refuse("this node has no copy of the shard; ask one that shard list shows as having it");
  }
  const { set, live } = await cluster.membersOf(shard);
  const others = live.filter((member) => member !== self);
  if (others.length > 0) {
    throw refuse(`nothing needs to be given up: ${others.join(", ")} of its set lives`);
  }
  const lost = set.filter((member) => member !== self);
  await cluster.journalRecovery(shard, lost, by);
  const { isDone, reason } = await stored.store.recover(shard, live);
  if (!isDone) throw refuse(reason);
  return lost;
}

async function shardsAnswer(deps: ClusterDeps): Promise<ShardsAnswer> {
  const { cluster, hearing, peers, stored, settings, logger } = deps;
  const { topology, shards } = cluster;
  const own = nodeStatusOf(stored?.store, settings.data.dir);
  const statuses = await nodeStatuses(peers, topology, own, logger);
  const away = hearing.away(topology.nodes().map(({ nodeId }) => nodeId));
  return { shards: [...shardsListed(topology, statuses, shards, away)] };
}

/** Throws `request.malformed`. */
function parsed<T>(schema: z.ZodType<T>, value: Request["body"] | Request["params"]): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = issue?.path.join(".") ?? "";
  throw new ServiceError(
    "request.malformed",
    `${place === "" ? "" : `${place}: `}${issue?.message}`,
  );
}
