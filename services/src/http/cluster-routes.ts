import express, { type Request } from "express";
import type { z } from "zod";
import {
  moveRequestSchema,
  nodePath,
  type ShardsAnswer,
  shardPath,
} from "../../../api/src/cluster.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import { shardsListed } from "../cluster-view.ts";
import { nodeStatuses, nodeStatusOf } from "../node-status.ts";
import type { App } from "./app.ts";
import type { ServeOptions } from "./serve.ts";

/** A request of an operator: numbers of nodes. */
const bodyMaxBytes = 1024;

export type ClusterDeps = Pick<
  ServeOptions,
  "cluster" | "peers" | "stored" | "settings" | "logger"
>;

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
  for (const verb of ["drain", "undrain"] as const) {
    const at = `/api/v1/cluster/nodes/:node/${verb}`;
    app.mount("post", at, "admin", async (request, response, { key }) => {
      const { node } = parsed(nodePath, request.params);
      await cluster.setDrained(node, verb === "drain", key);
      response.status(204).end();
    });
  }
}

async function shardsAnswer(deps: ClusterDeps): Promise<ShardsAnswer> {
  const { cluster, peers, stored, settings, logger } = deps;
  const { topology, shards } = cluster;
  const own = nodeStatusOf(stored.store, settings.data.dir);
  const statuses = await nodeStatuses(peers, topology, own, logger);
  return { shards: [...shardsListed(topology, statuses, shards)] };
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
