import type { Prng } from "../../../kit/src/prng.ts";
import type { Ensemble } from "../../src/core/ensemble.ts";
import { GroupedVoters } from "../../src/core/grouped-voters.ts";
import type { PeerId } from "../../src/core/vote.ts";
import { type Quorums, Voters } from "../../src/core/voters.ts";

/** An ensemble as members of a simulated world know it: they find each other by id. */
export function ensembleOf(
  version: number,
  voters: readonly PeerId[],
  observers: readonly PeerId[] = [],
  quorums: Quorums = new Voters(voters),
): Ensemble {
  const members = new Map([...voters, ...observers].map((id) => [id, `at ${id}`]));
  const text = `${quorums.constructor.name} ${voters} observers ${observers}`;
  return { version, voters: quorums, members, text };
}

/** Any of these ids as voters, in groups now and then, others as observers, the rest no members. */
export function ensembleDraw(prng: Prng, ids: readonly PeerId[], version: number): Ensemble {
  const places = ids.map((id) => ({
    id,
    place: prng.pick(["voter", "voter", "observer", "none"]),
  }));
  const at = (place: string) => places.filter((each) => each.place === place).map(({ id }) => id);
  const voters = at("voter");
  if (voters.length === 0) return ensembleOf(version, [prng.pick(ids)]);
  if (!prng.chance(0.2)) return ensembleOf(version, voters, at("observer"));
  const [first, ...rest] = voters;
  const groups =
    rest.length > 1 ? [[first as PeerId, ...rest.slice(0, 1)], rest.slice(1)] : [voters];
  const weights = new Map(rest.slice(1).map((id) => [id, prng.pick([1, 1, 2])]));
  return ensembleOf(version, voters, at("observer"), new GroupedVoters(groups, weights));
}
