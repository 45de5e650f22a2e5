import { ServiceError } from "../../kit/src/errors.ts";
import { addressProblem, isLoopback } from "./address.ts";

/** A member of our own ensemble, where the other members reach it; an IPv6 host stands without its brackets. */
export interface EnsembleMember {
  /** Its `node.id`. */
  readonly id: number;
  readonly host: string;
  /** For proposals and what follows from them. */
  readonly peerPort: number;
  /** For votes. */
  readonly electionPort: number;
  /** An observer has everything and no vote: what a member is until it has taken over the history of an ensemble that grows. */
  readonly role: "participant" | "observer";
}

/** How many voters an ensemble may have: an even number costs a disk and tolerates no more failures. */
const sizes: readonly number[] = [1, 3, 5];

/** Members with a vote and without: as many of the one as of the other. */
const membersMax = 10;

/** Members from texts such as `1=10.0.0.1:2888:3888`. Throws `config.invalid`. */
export function parseEnsemble(texts: readonly string[]): readonly EnsembleMember[] {
  const problem = ensembleProblem(texts);
  if (problem !== undefined) throw new ServiceError("config.invalid", problem, { value: texts });
  return texts.map((text) => memberOf(text) as EnsembleMember);
}

/** Whether its members talk to each other beyond this machine. */
export function isEnsembleRemote(texts: readonly string[] | undefined): boolean {
  return texts !== undefined && parseEnsemble(texts).some(({ host }) => !isLoopback(host));
}

/** What keeps texts from being an ensemble; undefined when nothing does. */
export function ensembleProblem(texts: readonly string[]): string | undefined {
  const ids = new Map<number, string>();
  const places = new Map<string, number>();
  for (const text of texts) {
    const member = memberOf(text);
    if (typeof member === "string") return `${member}, not ${text}`;
    const { id, host, peerPort, electionPort } = member;
    if (ids.has(id)) return `names member ${id} twice`;
    ids.set(id, text);
    for (const port of [peerPort, electionPort]) {
      const place = `${host}:${port}`;
      const other = places.get(place);
      if (other !== undefined) return `has two listeners at ${place}, of ${other} and of ${id}`;
      places.set(place, id);
    }
  }
  if (texts.length > membersMax) return `must name at most ${membersMax} members`;
  return sizes.includes(votersOf(texts).length)
    ? undefined
    : "must name 1, 3 or 5 members with a vote";
}

/** The ids of those with a vote; what is no member has none. */
export function votersOf(texts: readonly string[]): readonly number[] {
  return texts.flatMap((text) => {
    const member = memberOf(text);
    return typeof member !== "string" && member.role === "participant" ? [member.id] : [];
  });
}

/** The member, or what it should look like. */
function memberOf(text: string): EnsembleMember | string {
  const match = /^(\d{1,3})=(.+?):(\d{1,5}):(\d{1,5})(:observer)?$/.exec(text.trim());
  const [, idText, hostText = "", peerText, electionText, observer] = match ?? [];
  const [id, peerPort, electionPort] = [idText, peerText, electionText].map(Number);
  if (id === undefined || peerPort === undefined || electionPort === undefined || match === null) {
    return "must hold N=HOST:PEERPORT:ELECTIONPORT, as 1=10.0.0.1:2888:3888";
  }
  if (id < 1 || id > 255) return "must hold members from 1 to 255";
  for (const port of [peerPort, electionPort]) {
    if (port === 0) return "must hold ports that the others know";
    const problem = addressProblem(`${hostText}:${port}`);
    if (problem !== undefined) return problem;
  }
  const host = hostText.startsWith("[") ? hostText.slice(1, -1) : hostText;
  const role = observer === undefined ? "participant" : "observer";
  return { id, host, peerPort, electionPort, role };
}
