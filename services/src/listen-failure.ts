import { parseEnsemble } from "../../config/src/ensemble.ts";
import type { Settings } from "../../config/src/schema.ts";

/** What can be wrong with an address to listen on, by the system's own code. */
const reasons = {
  EADDRINUSE: "another process listens there",
  EADDRNOTAVAIL: "this machine has no such address",
} as const;

/**
 * What a start says that could not listen, with the flag that chose the address; undefined for other failures. Goes by the message, since
 * an error that crossed from the coordinator's thread has nothing else left.
 */
export function listenFailure(
  message: string,
  settings: Pick<Settings, "http" | "coordinator" | "node">,
): string | undefined {
  const found = /(EADDRINUSE|EADDRNOTAVAIL): address [a-z ]+ (\S+:\d+)/.exec(message);
  if (found === null) return undefined;
  const [, code, address = ""] = found;
  const reason = reasons[code as keyof typeof reasons];
  const port = address.slice(address.lastIndexOf(":"));
  const { http, coordinator, node } = settings;
  const flag = http.listen.endsWith(port)
    ? "--http"
    : coordinator.listen.endsWith(port)
      ? "--coordinator"
      : "--peer";
  if (flag === "--peer" && isMembers(Number(port.slice(1)), settings)) {
    const whose = `which --ensemble gives to node ${node.id}`;
    return `cannot listen on ${address}, ${whose}: ${reason}; is --node-id ${node.id} right, and does that node not run already?`;
  }
  return `cannot listen on ${address}: ${reason}; ${flag} HOST:PORT chooses another address`;
}

/** Whether the port is this node's as a member of the ensemble. */
function isMembers(port: number, { coordinator, node }: Pick<Settings, "coordinator" | "node">) {
  const own = parseEnsemble(coordinator.ensemble ?? []).find(({ id }) => id === node.id);
  return own !== undefined && (own.peerPort === port || own.electionPort === port);
}
