// Goal: servers of both kinds are one ensemble: whoever leads, nothing acknowledged is lost, no session ends, and each
// has the same txns with the same digests on disk.
// Method: Apache's server and ours under load, one taking over the data of the other; what clients noted is judged.
import { story } from "../ensemble/story.ts";

const apaches = ["apache", "apache", "apache"] as const;

story(
  "three of Apache's servers are replaced by ours one by one, and back, under load",
  { members: apaches },
  async ({ ensemble, workload, prng }) => {
    for (const kind of ["logkeep", "apache"] as const) {
      const order = ensemble.members.map((member) => ({ member, rank: prng.unit() }));
      for (const { member } of order.sort((a, b) => a.rank - b.rank)) {
        await member.stop();
        await workload.answered(100);
        member.start(kind);
        await ensemble.serving();
        await workload.answered(100);
      }
    }
  },
);
