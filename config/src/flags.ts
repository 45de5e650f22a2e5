/** A flag of `logkeep start` that sets one setting. */
export interface SettingFlag {
  /** In commander's form. */
  readonly flag: string;
  /** The name under which commander keeps its value. */
  readonly name: string;
  /** The setting it sets. */
  readonly path: string;
  readonly description: string;
}

/** The flags that `start` has besides `--config`; what has no flag goes by `--set PATH=VALUE`. */
export const settingFlags: readonly SettingFlag[] = [
  flag("--roles <roles>", "roles", "roles", "all, or some of coordinator,ingest,query,alerts"),
  flag("--data <dir>", "data", "data.dir", "the data directory (./data)"),
  flag("--node-id <n>", "nodeId", "node.id", "which member I am, 1 to 255"),
  flag("--http <host:port>", "http", "http.listen", "the HTTP listener (127.0.0.1:7070)"),
  flag(
    "--coordinator <host:port>",
    "coordinator",
    "coordinator.listen",
    "the listener for ZooKeeper clients (127.0.0.1:2181)",
  ),
  flag(
    "--peer <host:port>",
    "peer",
    "peer.listen",
    "the listener for other nodes (127.0.0.1:7071)",
  ),
  flag(
    "--ensemble <n=host:port:port,...>",
    "ensemble",
    "coordinator.ensemble",
    "the voting members, N=HOST:PEERPORT:ELECTIONPORT; I am --node-id",
  ),
  flag(
    "--join <host:port,...>",
    "join",
    "cluster.join",
    "join a running cluster by the --peer listener of any of its nodes",
  ),
  flag(
    "--connect <host:port,...>",
    "connect",
    "coordinator.connect",
    "use this ensemble, embed no coordinator",
  ),
  flag(
    "--secret-file <file>",
    "secretFile",
    "cluster.secretFile",
    "the secret that all nodes share (LOGKEEP_CLUSTER_SECRET)",
  ),
  flag("--zone <name>", "zone", "node.zone", "what may fail as a whole with this node in it"),
  flag(
    "--insecure-listen",
    "insecureListen",
    "auth.insecureListen",
    "listen beyond loopback without credentials",
  ),
];

/** What `loadSettings` takes as flags, from the values commander parsed and `PATH=VALUE` texts. */
export function flagValues(
  options: Readonly<Record<string, unknown>>,
  assignments: readonly string[] = [],
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const assignment of assignments) {
    const equals = assignment.indexOf("=");
    // Without a value the text itself is an unknown path, which the loader refuses by name.
    if (equals < 0) values[assignment] = "";
    else values[assignment.slice(0, equals)] = assignment.slice(equals + 1);
  }
  for (const { name, path } of settingFlags) {
    if (options[name] !== undefined) values[path] = options[name];
  }
  return values;
}

function flag(text: string, name: string, path: string, description: string): SettingFlag {
  return { flag: text, name, path, description };
}
