import dns, { type LookupAddress, type LookupOptions } from "node:dns";
import { isIP, isIPv4, type LookupFunction } from "node:net";

/**
 * Where a webhook may go. Rules are written by users, the requests come from inside: without a guard
 * a rule could ask a cloud's metadata service, or a neighbour that trusts its network.
 */
export interface GuardOptions {
  /** Whether loopback and private addresses may be called. */
  readonly privateAddresses: boolean;
}

/** An address, or a name that has no other one, may not be called. The message does not tell the address. */
export class AddressRefused extends Error {
  override readonly name = "AddressRefused";
}

/** What stands behind a network: `never` may be called by no one, `private` only where it is allowed. */
type AddressClass = "public" | "private" | "never";

type Network = readonly [prefix: string, bits: number];

/** Link-local, and where clouds answer with credentials. */
const never: readonly Network[] = [
  ["169.254.0.0", 16],
  ["fe80::", 10],
  // Alibaba, Azure, Oracle; AWS, Google and Scaleway over IPv6.
  ["100.100.100.200", 32],
  ["168.63.129.16", 32],
  ["192.0.0.192", 32],
  ["fd00:ec2::", 32],
  ["fd20:ce::254", 128],
  ["fd00:42::42", 128],
];

/** Everything that is not an address of one host on the internet. */
const notPublic: readonly Network[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  // Multicast, reserved, broadcast.
  ["224.0.0.0", 3],
  // Unspecified and loopback; the rest of it is deprecated.
  ["::", 96],
  // A site's own translation to IPv4: where it leads to is not known here.
  ["64:ff9b:1::", 48],
  ["100::", 64],
  ["2001:db8::", 32],
  ["fc00::", 7],
  ["fec0::", 10],
  ["ff00::", 8],
];

/** IPv6 networks that carry an IPv4 address, and the byte at which it begins. */
const carriers: readonly (readonly [...Network, at: number])[] = [
  // Mapped, translated, compatible; NAT64; 6to4.
  ["::ffff:0:0", 96, 12],
  ["::ffff:0:0:0", 96, 12],
  ["::", 96, 12],
  ["64:ff9b::", 96, 12],
  ["2002::", 16, 2],
];

/** Teredo: the client's address is in the last four bytes, inverted. */
const teredo: Network = ["2001::", 32];

/** Why the address, an IPv4 or IPv6 one as text, may not be called; undefined when it may. */
export function addressProblem(
  address: string,
  { privateAddresses }: GuardOptions,
): string | undefined {
  const kind = classOf(bytesOf(address));
  if (kind === "never") return "link-local and metadata addresses are never called";
  if (kind === "private" && !privateAddresses) {
    return "loopback and private addresses are not called (alerts.privateWebhooks)";
  }
  return undefined;
}

type Resolve = (
  hostname: string,
  options: LookupOptions & { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * A `lookup` for sockets that leaves out what may not be called. It is the same answer to which the socket then
 * connects, so that a name cannot change its address between the check and the use.
 */
export function guardedLookup(
  options: GuardOptions,
  resolve: Resolve = dns.lookup,
): LookupFunction {
  const resolveOnce = sharing(resolve);
  return (hostname, lookupOptions, callback) => {
    resolveOnce(hostname, { ...lookupOptions, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, "", 0);
      const problems = addresses.map(({ address }) => addressProblem(address, options));
      const allowed = addresses.filter((_, i) => problems[i] === undefined);
      const first = allowed[0];
      if (first === undefined) {
        const refused = new AddressRefused(problems[0] ?? "the name has no address");
        return callback(refused, "", 0);
      }
      if (lookupOptions.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

/**
 * Asks for a name once at a time, whoever waits for it. The system answers only a few questions side by side, so those
 * for a name whose server is silent would hold up all other names.
 */
function sharing(resolve: Resolve): Resolve {
  type Callback = Parameters<Resolve>[2];
  const asking = new Map<string, Callback[]>();
  return (hostname, options, callback) => {
    const key = JSON.stringify([hostname, options.family, options.hints]);
    const others = asking.get(key);
    if (others !== undefined) {
      others.push(callback);
      return;
    }
    const waiting = [callback];
    asking.set(key, waiting);
    resolve(hostname, options, (error, addresses) => {
      asking.delete(key);
      for (const each of waiting) each(error, addresses);
    });
  };
}

/**
 * Throws `AddressRefused` when a URL's host is itself an address that may not be called: sockets look up names only.
 * `hostname` is that of a `URL`, which has turned decimal, octal and hexadecimal forms into the usual one.
 */
export function checkLiteral(hostname: string, options: GuardOptions): void {
  const address = hostname.replace(/^\[(.*)\]$/, "$1");
  if (isIP(address) === 0) return;
  const problem = addressProblem(address, options);
  if (problem !== undefined) throw new AddressRefused(problem);
}

function classOf(bytes: Uint8Array): AddressClass {
  if (isWithinAny(bytes, never)) return "never";
  const own = isWithinAny(bytes, notPublic) ? "private" : "public";
  const carried = carriedBy(bytes);
  if (carried === undefined) return own;
  const inner = classOf(carried);
  return inner === "public" ? own : inner;
}

/** The IPv4 address inside an IPv6 one. */
function carriedBy(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length === 4) return undefined;
  if (isWithin(bytes, teredo)) return bytes.subarray(12).map((byte) => byte ^ 0xff);
  const carrier = carriers.find(([prefix, bits]) => isWithin(bytes, [prefix, bits]));
  return carrier === undefined ? undefined : bytes.subarray(carrier[2], carrier[2] + 4);
}

function isWithinAny(bytes: Uint8Array, networks: readonly Network[]): boolean {
  return networks.some((network) => isWithin(bytes, network));
}

function isWithin(bytes: Uint8Array, [prefix, bits]: Network): boolean {
  const network = bytesOf(prefix);
  if (network.length !== bytes.length) return false;
  return bytes.every((byte, i) => {
    const taken = Math.min(8, Math.max(0, bits - i * 8));
    const mask = (0xff << (8 - taken)) & 0xff;
    return (byte & mask) === ((network[i] ?? 0) & mask);
  });
}

/** The 4 or 16 bytes of an address that `isIP` accepts; a zone is left out. */
function bytesOf(address: string): Uint8Array {
  if (isIPv4(address)) return Uint8Array.from(address.split("."), Number);
  const [plain = ""] = address.split("%");
  // The last two groups may be written as an IPv4 address.
  const groups = plain.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) => {
    const pair = (high: string, low: string) => (Number(high) * 256 + Number(low)).toString(16);
    return `${pair(a, b)}:${pair(c, d)}`;
  });
  const [head = "", tail] = groups.split("::");
  const front = head === "" ? [] : head.split(":");
  const back = tail === undefined || tail === "" ? [] : tail.split(":");
  const between = Array<string>(8 - front.length - back.length).fill("0");
  const values = [...front, ...between, ...back].map((group) => Number.parseInt(group, 16));
  return Uint8Array.from(values.flatMap((value) => [value >> 8, value & 0xff]));
}
