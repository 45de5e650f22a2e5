import { TcpQuorumNetwork } from "../quorum/tcp-network.ts";
import { coreTickMs } from "./limits.ts";
import type { CoordinatorSettings } from "./options.ts";
import type { ReplicaEnsemble } from "./replica-options.ts";

/** What the core and its network need of the settings; undefined for a server that is alone. */
export function ensembleOf(settings: CoordinatorSettings): ReplicaEnsemble | undefined {
  const { ensemble, serverId, tickTimeMs, logger } = settings;
  if (ensemble === undefined) return undefined;
  const { membership, initLimit, syncLimit, listenOnAllIPs, reconfigEnabled } = ensemble;
  const self = membership.members.find(({ id }) => id === serverId);
  const tickMs = Math.min(coreTickMs, Math.max(1, Math.floor(tickTimeMs / 8)));
  const ticks = (ms: number): number => Math.max(2, Math.ceil(ms / tickMs));
  const initLimitMs = initLimit * tickTimeMs;
  return {
    membership,
    membershipNext: ensemble.membershipNext,
    reconfigEnabled,
    standaloneEnabled: ensemble.standaloneEnabled,
    timing: {
      settleTicks: 2,
      repeatTicksMax: ticks(1_600),
      pingTicks: ticks(tickTimeMs / 2),
      connectTicks: ticks(Math.min(initLimitMs, 2_000)),
      initLimitTicks: ticks(initLimitMs),
      syncLimitTicks: ticks(syncLimit * tickTimeMs),
    },
    tickMs,
    network: (members, events) =>
      new TcpQuorumNetwork(
        {
          self: serverId,
          members,
          reconfigEnabled,
          host: listenOnAllIPs ? undefined : self?.addresses[0]?.host,
          tls: ensemble.tls,
          initLimitMs,
          logger,
        },
        events,
      ),
  };
}
