import os from "node:os";
import { collectDefaultMetrics, Registry } from "prom-client";
import { isLoopback, parseAddress } from "../../../config/src/address.ts";
import { registerClusterMetrics } from "../cluster-metrics.ts";
import { registerCoordinatorMetrics } from "../coordinator-metrics.ts";
import { App } from "./app.ts";
import { mountCluster } from "./cluster-routes.ts";
import { mountConfig } from "./config-routes.ts";
import { mountKeys } from "./key-routes.ts";
import { mountOps } from "./ops-routes.ts";
import { listenHttp, type Served, type ServeOptions } from "./serve.ts";

/** What there is at every node. */
export type ServeCoordinatorOptions = Omit<
  ServeOptions,
  "stored" | "index" | "mirror" | "tails" | "deletes" | "backups" | "alerts" | "sources" | "audit"
>;

/** Serves what a node answers that has no records: how it is, who is there, and what an operator asks of the cluster. */
export async function serveCoordinator(options: ServeCoordinatorOptions): Promise<Served> {
  const { settings, cluster, coordinator, keys, config, live, roles, logger } = options;
  const stopping = new AbortController();
  const isLocal = isLoopback(parseAddress(settings.http.listen).host);
  const app = new App({
    ...{ keys, hosts: [os.hostname()], roles: roles.all, logger },
    isKeyNeeded: !isLocal && !settings.auth.insecureListen,
  });
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  registerClusterMetrics(registry, cluster, undefined);
  if (coordinator.stats !== undefined) registerCoordinatorMetrics(registry, coordinator.stats);
  const none = { stored: undefined, sources: undefined, budget: undefined, retentions: undefined };
  mountKeys(app, keys);
  mountConfig(app, { store: config, live });
  mountCluster(app, { ...options, ...none });
  mountOps(app, {
    ...{ ...options, ...none, metrics: { registry } },
    isReady: () => !stopping.signal.aborted,
  });
  app.finish();
  return listenHttp(app, settings, stopping, logger);
}
