// Goal: as in replace.test.ts, for each way in which servers of two kinds can be three, with kills.
// Method: LOGKEEP_MIXED=all tells all of them (soak does), else the first.
import type { Ensemble } from "../ensemble/ensemble.ts";
import type { Member, MemberKind } from "../ensemble/member.ts";
import { faults, forgetful, storm } from "../ensemble/storm.ts";
import { story } from "../ensemble/story.ts";

const arrangements: { readonly members: readonly MemberKind[]; readonly leader: MemberKind }[] = [
  { members: ["apache", "logkeep", "apache"], leader: "logkeep" },
  { members: ["apache", "logkeep", "apache"], leader: "apache" },
  { members: ["logkeep", "apache", "logkeep"], leader: "logkeep" },
  { members: ["logkeep", "apache", "logkeep"], leader: "apache" },
];

const told = process.env["LOGKEEP_MIXED"] === "all" ? arrangements : arrangements.slice(0, 1);

for (const { members, leader } of told) {
  const names = members.join(", ");
  story(`${names}, led by ${leader}: deaths lose nothing`, { members }, async (all) => {
    const { ensemble, workload, prng } = all;
    const leading = await ledBy(ensemble, leader);
    await workload.answered(300);
    const follower = prng.pick(await ensemble.others(leading));
    await follower.kill();
    await workload.answered(300);
    follower.start();
    await ensemble.serving();
    await (await ensemble.serving()).kill();
    await workload.answered(300);
    for (const member of ensemble.members) if (!member.isRunning) member.start();
    await ensemble.serving();
  });
}

if (told.length > 1) {
  const members = ["apache", "logkeep", "apache", "logkeep", "apache"] as const;
  const lasting = { clients: 12, timeoutMs: 20_000, settings: forgetful } as const;
  story("five servers of both kinds in a storm of faults", { members, ...lasting }, (all) =>
    storm(all, faults),
  );
}

/** Makes a server of this kind the leader: the others are restarted while they lead. */
async function ledBy(ensemble: Ensemble, kind: MemberKind): Promise<Member> {
  for (;;) {
    const leader = await ensemble.serving();
    if (leader.kind === kind) return leader;
    await leader.stop();
    await ensemble.serving();
    leader.start();
    await ensemble.serving();
  }
}
