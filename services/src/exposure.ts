import { isLoopback, parseAddress } from "../../config/src/address.ts";
import { isEnsembleRemote } from "../../config/src/ensemble.ts";
import type { Settings } from "../../config/src/schema.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import type { Lifecycle } from "../../kit/src/lifecycle.ts";
import type { Logger } from "../../kit/src/logger.ts";
import { type ClusterSecret, secretNeeded } from "./cluster-secret.ts";

/** How often a service that anybody can reach without a key says so. */
const insecureWarnMs = 60_000;

/** Whether anybody beyond this machine can reach a listener for clients. */
export function isExposed(settings: Settings): boolean {
  return exposedOf(settings).length > 0;
}

/** The listeners for clients that others can reach, as `http.listen 10.0.0.1:7070`. */
function exposedOf({ http, coordinator }: Settings): string[] {
  return Object.entries({ "http.listen": http.listen, "coordinator.listen": coordinator.listen })
    .filter(([, address]) => !isLoopback(parseAddress(address).host))
    .map(([name, address]) => `${name} ${address}`);
}

/** Refuses to let other machines in by a secret that anybody knows. */
export function checkClusterListeners(settings: Settings, secret: ClusterSecret): void {
  if (!secret.isKnown) return;
  const { peer, coordinator } = settings;
  const open = [
    ...(isLoopback(parseAddress(peer.listen).host) ? [] : [`peer.listen ${peer.listen}`]),
    ...(isEnsembleRemote(coordinator.ensemble)
      ? [`coordinator.ensemble ${coordinator.ensemble}`]
      : []),
  ];
  if (open.length === 0) return;
  throw new ServiceError(
    "config.invalid",
    `listening to other machines (${open.join("; ")}) ${secretNeeded}`,
  );
}

/** Refuses to listen beyond this machine while there is no key; says what mends it. */
export function checkExposure(
  settings: Settings,
  keyCount: number,
  logger: Logger,
  lifecycle: Lifecycle,
): void {
  if (!isExposed(settings)) return;
  if (settings.auth.insecureListen) {
    const warn = (): void =>
      logger.warn(
        { listen: settings.http.listen },
        "anybody who reaches this listener may do anything",
      );
    warn();
    const timer = setInterval(warn, insecureWarnMs).unref();
    lifecycle.add("warning", () => clearInterval(timer));
    return;
  }
  if (keyCount > 0) return;
  throw new ServiceError(
    "config.invalid",
    `listening beyond loopback (${exposedOf(settings).join("; ")}) needs an API key first; draw one, for a cluster the same file on all nodes:\n` +
      '  echo "lk_$(openssl rand -hex 8)_$(openssl rand -hex 32)" > admin.key\n' +
      "  logkeep start … --set auth.adminKeyFile=admin.key\n" +
      "or start with these listeners on 127.0.0.1, and in another terminal, before you start as you wanted:\n" +
      "  logkeep keys create admin --scope admin",
  );
}
