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
export function isExposed({ http, coordinator }: Settings): boolean {
  return ![http.listen, coordinator.listen].every((text) => isLoopback(parseAddress(text).host));
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

/** Refuses to listen beyond this machine while there is no key; says which two lines mend it. */
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
    `listening beyond loopback (${settings.http.listen}) needs an API key first:\n` +
      "  logkeep start --http 127.0.0.1:7070\n" +
      "  logkeep keys create admin --scope admin        (in another terminal; then start as you wanted)",
  );
}
