import { type Clock, systemClock } from "../../../kit/src/clock.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import { type Logger, silentLogger } from "../../../kit/src/logger.ts";
import { recentMaxDefault } from "../core/limits.ts";
import { snapCountDefault, snapshotsKept } from "../log/limits.ts";
import type { Membership } from "../quorum/members.ts";
import type { QuorumTls } from "../quorum/sockets.ts";
import { frameBytesMax, frameBytesSettableMax } from "../wire/limits.ts";
import type { TlsKey } from "../wire/tls-key.ts";
import {
  type ConnectionThrottleSettings,
  connectionThrottleDefault,
} from "./connection-throttle.ts";
import {
  connectionsPerAddressDefault,
  containerCheckMsDefault,
  containersPerMinuteDefault,
  sessionTicksMax,
  sessionTicksMin,
  wordsDefault,
} from "./limits.ts";
import type { MetricsOptions } from "./metrics-listener.ts";
import { type RequestThrottleSettings, requestThrottleDefault } from "./request-throttle.ts";
import type { SecureOptions } from "./secure-listener.ts";

/** How a coordinator is started. Times in milliseconds; what is left out is as in Apache's zoo.cfg. */
export interface CoordinatorOptions {
  /** Logs, snapshots and epochs lie in `version-2` below it. */
  readonly dataDir: string;
  /** Where logs lie, in `version-2` below it. Default: in `dataDir`. */
  readonly dataLogDir?: string | undefined;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** 1 to 255, the high byte of session ids. Default 1. */
  readonly serverId?: number;
  readonly tickTimeMs?: number;
  /** Default 2 ticks. */
  readonly minSessionTimeoutMs?: number;
  /** Default 20 ticks. */
  readonly maxSessionTimeoutMs?: number;
  /** Txns between two snapshots. */
  readonly snapCount?: number;
  /** Connections from one address; 0: any number. */
  readonly connectionsPerAddress?: number;
  /** `super:base64(sha1("super:password"))`: who proves it passes every ACL. */
  readonly superDigest?: string | undefined;
  /** Passwords by user for SASL DIGEST-MD5. Without any SASL is UNIMPLEMENTED. */
  readonly saslUsers?: ReadonlyMap<string, string>;
  /** The SASL user who passes every ACL (`zookeeper.superUser`). */
  readonly saslSuperUser?: string | undefined;
  /** A client whose SASL proof fails goes on without it (`zookeeper.allowSaslFailedClients`). */
  readonly allowSaslFailure?: boolean;
  /** Schemes, one of which a client must prove before it asks anything (`enforce.auth.schemes`). */
  readonly schemesRequired?: readonly string[];
  /** Four-letter words that are answered, or `*` (`4lw.commands.whitelist`). Default: those that only read and are short. */
  readonly words?: readonly string[];
  /** Bytes of the longest request (`jute.maxbuffer`), up to 16 MiB. Default 1,048,575. */
  readonly frameBytes?: number;
  /** Writes of all clients under way; above it nobody is read (`globalOutstandingLimit`). Default: only their bytes count. */
  readonly outstandingMax?: number;
  /** How fast clients may connect (`connection_throttle_*`). Default: as fast as they come. */
  readonly connectionThrottle?: ConnectionThrottleSettings | undefined;
  /** What becomes of requests that wait (`request_throttle_*`, `throttled_op_wait_time`). Default: they wait. */
  readonly requestThrottle?: RequestThrottleSettings | undefined;
  /** Snapshots that are kept, with the logs from the oldest on (`autopurge.snapRetainCount`). Default 3, the least. */
  readonly snapshotsKept?: number;
  /** Committed txns at hand, for members that lack no more (`zookeeper.commitLogCount`). Default 50,000; Apache's is 500. */
  readonly commitLogCount?: number;
  /** Whether hard limits of quotas refuse. Default true; Apache's is false. */
  readonly enforceQuota?: boolean;
  /** Whether every client may do everything (`zookeeper.skipACL`): ACLs are kept and not looked at. Default false. */
  readonly skipAcl?: boolean;
  /** Whether a digest of the tree is kept, proposed with each txn and compared (`zookeeper.digest.enabled`). Default true. */
  readonly digests?: boolean;
  /** Where `/commands` are answered over HTTP; nowhere unless set. Whoever reaches it may read all of them. */
  readonly admin?: AdminOptions | undefined;
  /** Where `/metrics` is answered over HTTP under ZooKeeper's names; nowhere unless set. */
  readonly metrics?: MetricsOptions | undefined;
  /** System properties as `system_properties` tells them; nothing is read from them. */
  readonly properties?: ReadonlyMap<string, string>;
  /** Whoever has it may speak TLS at the client port, where others go on without. Default: nobody. */
  readonly clientKey?: TlsKey | undefined;
  /** A second port, for TLS. */
  readonly secure?: SecureOptions | undefined;
  /** Between two looks at containers and TTL znodes (`znode.container.checkIntervalMs`). Default 60 s. */
  readonly containerCheckMs?: number;
  /** Of those, deletions in a minute (`znode.container.maxPerMinute`). Default 10,000. */
  readonly containersPerMinute?: number;
  /** A container that never had a child goes after this (`znode.container.maxNeverUsedIntervalMs`). Default 0: never. */
  readonly containerUnusedMs?: number;
  /** The ensemble that this server is a member of; alone without it. */
  readonly ensemble?: EnsembleOptions | undefined;
  /** Whether sessions are their member's own, and cost no txn, until they make an ephemeral (`localSessionsEnabled`). */
  readonly localSessions?: boolean;
  /** Whether such a session may make an ephemeral, and then becomes known to all (`localSessionsUpgradingEnabled`). */
  readonly localSessionUpgrades?: boolean;
  /** Whether a member without a leader answers reads of clients that are content with that (`readonlymode.enabled`). */
  readonly readOnlyMode?: boolean;
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** A fault that the coordinator cannot outlive: it has stopped serving. The process should end. */
  readonly fatal?: (error: Error) => void;
}

export interface EnsembleOptions {
  /** Who is in it; `serverId` is one of them. */
  readonly membership: Membership;
  /** A change that the writer of its file had seen, and that may not be in force (`zoo.cfg.dynamic.next`). */
  readonly membershipNext?: Membership | undefined;
  /** From an election to a quorum with the leader's history, in ticks. */
  readonly initLimit: number;
  /** A member that is silent this long is given up, in ticks. */
  readonly syncLimit: number;
  /** Whether the ports for members listen on all addresses, or on the member's own. */
  readonly listenOnAllIPs: boolean;
  /** Whether the ensemble may be changed while it runs (`reconfigEnabled`). */
  readonly reconfigEnabled: boolean;
  /** Whether a change may leave less than two voters: not with `standaloneEnabled`. */
  readonly standaloneEnabled: boolean;
  /** TLS between members (`sslQuorum`); all of them have it, or none. */
  readonly tls?: QuorumTls | undefined;
}

/** `admin.*` of a zoo.cfg. */
export interface AdminOptions {
  readonly host: string;
  readonly port: number;
  /** Whether `snapshot` and `restore` are answered. Default true. */
  readonly snapshotEnabled?: boolean;
  readonly restoreEnabled?: boolean;
  /** Each of them once in this time (`admin.rateLimiterIntervalInMS`). Default 5 minutes. */
  readonly rateMs?: number;
}

/** The options with every default filled in. */
export interface CoordinatorSettings {
  readonly dataDir: string;
  readonly dataLogDir: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly serverId: number;
  readonly tickTimeMs: number;
  readonly minSessionTimeoutMs: number;
  readonly maxSessionTimeoutMs: number;
  readonly snapCount: number;
  readonly connectionsPerAddress: number;
  readonly superDigest: string | undefined;
  readonly saslUsers: ReadonlyMap<string, string>;
  readonly saslSuperUser: string | undefined;
  readonly allowSaslFailure: boolean;
  readonly schemesRequired: readonly string[];
  readonly words: readonly string[];
  readonly admin: AdminOptions | undefined;
  readonly metrics: MetricsOptions | undefined;
  readonly properties: ReadonlyMap<string, string>;
  readonly frameBytes: number;
  readonly outstandingMax: number;
  readonly connectionThrottle: ConnectionThrottleSettings;
  readonly requestThrottle: RequestThrottleSettings;
  readonly snapshotsKept: number;
  readonly commitLogCount: number;
  readonly enforceQuota: boolean;
  readonly skipAcl: boolean;
  readonly digests: boolean;
  readonly clientKey: TlsKey | undefined;
  readonly secure: SecureOptions | undefined;
  readonly containerCheckMs: number;
  readonly containersPerMinute: number;
  readonly containerUnusedMs: number;
  readonly ensemble: EnsembleOptions | undefined;
  readonly readOnlyMode: boolean;
  readonly localSessions: boolean;
  readonly localSessionUpgrades: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly fatal: (error: Error) => void;
}

/** Fills in defaults. Throws `config.invalid` for a value that is out of range. */
export function settingsOf(options: CoordinatorOptions): CoordinatorSettings {
  const tickTimeMs = whole("tickTimeMs", options.tickTimeMs ?? 2000, 10, 3_600_000);
  const minimum = options.minSessionTimeoutMs ?? tickTimeMs * sessionTicksMin;
  const maximum = options.maxSessionTimeoutMs ?? Math.max(minimum, tickTimeMs * sessionTicksMax);
  const logger = options.logger ?? silentLogger;
  const containerCheckMs = options.containerCheckMs ?? containerCheckMsDefault;
  const perMinute = options.containersPerMinute ?? containersPerMinuteDefault;
  const frameBytes = options.frameBytes ?? frameBytesMax;
  const kept = options.snapshotsKept ?? snapshotsKept;
  const perAddress = options.connectionsPerAddress ?? connectionsPerAddressDefault;
  return {
    dataDir: options.dataDir,
    dataLogDir: options.dataLogDir,
    host: options.host ?? "127.0.0.1",
    port: whole("port", options.port ?? 0, 0, 65_535),
    serverId: whole("serverId", options.serverId ?? 1, 1, 255),
    tickTimeMs,
    minSessionTimeoutMs: whole("minSessionTimeoutMs", minimum, 1, int),
    maxSessionTimeoutMs: whole("maxSessionTimeoutMs", maximum, minimum, int),
    snapCount: whole("snapCount", options.snapCount ?? snapCountDefault, 2, int),
    connectionsPerAddress: whole("connectionsPerAddress", perAddress, 0, int),
    superDigest: options.superDigest,
    saslUsers: options.saslUsers ?? new Map(),
    saslSuperUser: options.saslSuperUser,
    allowSaslFailure: options.allowSaslFailure ?? false,
    schemesRequired: options.schemesRequired ?? [],
    words: options.words ?? wordsDefault,
    admin: options.admin,
    metrics: options.metrics,
    properties: options.properties ?? new Map(),
    frameBytes: whole("frameBytes", frameBytes, 1024, frameBytesSettableMax),
    outstandingMax: whole("outstandingMax", options.outstandingMax ?? int, 1, int),
    connectionThrottle: options.connectionThrottle ?? connectionThrottleDefault,
    requestThrottle: options.requestThrottle ?? requestThrottleDefault,
    snapshotsKept: whole("snapshotsKept", kept, snapshotsKept, int),
    commitLogCount: whole("commitLogCount", options.commitLogCount ?? recentMaxDefault, 1, int),
    enforceQuota: options.enforceQuota ?? true,
    skipAcl: options.skipAcl ?? false,
    digests: options.digests ?? true,
    clientKey: options.clientKey,
    secure: options.secure,
    containerCheckMs: whole("containerCheckMs", containerCheckMs, 1, int),
    containersPerMinute: whole("containersPerMinute", perMinute, 1, int),
    containerUnusedMs: whole("containerUnusedMs", options.containerUnusedMs ?? 0, 0, int),
    ensemble: options.ensemble,
    readOnlyMode: options.readOnlyMode ?? false,
    // One that is alone has nobody to spare a txn.
    localSessions: options.ensemble !== undefined && (options.localSessions ?? false),
    localSessionUpgrades: options.localSessionUpgrades ?? false,
    clock: options.clock ?? systemClock,
    logger,
    fatal: options.fatal ?? ((error) => logger.error({ err: error }, "coordinator failed")),
  };
}

/** The largest number of a setting. */
const int = 2 ** 31 - 1;

function whole(name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  const message = `${name} must be a whole number from ${min} to ${max}`;
  throw new ServiceError("config.invalid", message, { name, value });
}
