import { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { isZooKeeperError, type ZooKeeperError } from "../../coordinator/src/client/errors.ts";
import { CliExit, type CliIo, usageError } from "./io.ts";

/** Options of `logkeep zk`, before or behind the verb. */
export interface ZkOptions {
  readonly server: string;
  readonly auth?: readonly string[];
  readonly timeout: number;
  readonly json?: boolean;
}

/** What the verbs need: a connected client that is closed when they return. */
export interface ZkVerbs {
  readonly io: CliIo;
  readonly options: () => ZkOptions;
  /** Turns what the client throws into one line that says what to do. */
  withClient<T>(use: (client: ZooKeeperClient) => Promise<T>): Promise<T>;
}

export async function withClient<T>(
  options: ZkOptions,
  io: CliIo,
  use: (client: ZooKeeperClient) => Promise<T>,
): Promise<T> {
  const client = openClient(options);
  const timeout = AbortSignal.timeout(options.timeout * 1000);
  try {
    await client.connected({ signal: AbortSignal.any([timeout, io.signal]) });
    for (const auth of options.auth ?? []) await client.addAuth("digest", auth);
    return await use(client);
  } catch (thrown) {
    if (io.signal.aborted) throw new CliExit(1, "interrupted", { cause: thrown });
    if (isZooKeeperError(thrown)) throw new CliExit(1, adviceOf(thrown), { cause: thrown });
    if (!client.isConnected && timeout.aborted) {
      const text = `no coordinator answers at ${options.server}; is it running, or does --server name another?`;
      throw new CliExit(1, text, { cause: thrown });
    }
    throw thrown;
  } finally {
    await client.close();
  }
}

function openClient(options: ZkOptions): ZooKeeperClient {
  try {
    return new ZooKeeperClient({ connect: options.server, sessionTimeoutMs: 10_000 });
  } catch (thrown) {
    throw new CliExit(2, `--server ${options.server} is not HOST:PORT[,HOST:PORT…][/CHROOT]`, {
      cause: thrown,
    });
  }
}

const advice: Readonly<Record<string, string>> = {
  NONODE: "there is no such znode",
  NODEEXISTS: "the znode is there already",
  NOTEMPTY: "the znode has children; -R deletes them too",
  BADVERSION: "the version is another; stat shows it",
  NOAUTH: "the ACL does not allow it; --auth user:password gives an identity",
  AUTHFAILED: "the server does not take this identity",
  BADARGUMENTS: "a path begins with / and has no empty part, or an argument is not valid",
  NOCHILDRENFOREPHEMERALS: "an ephemeral znode cannot have children",
  INVALIDACL: "the ACL is not valid",
  QUOTAEXCEEDED: "the quota is used up",
  MARSHALLINGERROR: "the request or its answer is too large",
  CONNECTIONLOSS: "the connection broke; whether it was done is unknown",
};

function adviceOf(error: ZooKeeperError): string {
  const said = advice[error.code];
  return said === undefined ? error.message : `${error.message}: ${said}`;
}

/** A version, or a count, from the command line. Throws a usage error. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^-?\d{1,10}$/.test(text) || value > 0x7fffffff || value < -0x80000000) {
    throw usageError(`${text} is not a whole number of 32 bits`);
  }
  return value;
}
