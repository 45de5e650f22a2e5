import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import { nodeDisk, replaceFile } from "../../storage/src/log/disk.ts";

const schema = z.object({
  /** Ids of the members with a vote at the last start. */
  voters: z.array(z.int().min(1).max(255)).max(16),
});

const fileName = "ensemble.json";

/**
 * Keeps who voted when this node's coordinator was last started, and refuses to start it alone after it was one of several: the
 * others go on, as most of them, and what it took alone nobody else would have. `voters` is empty for one that is alone. Throws
 * `config.invalid`, and `storage.damaged` for a file that cannot be read.
 */
export async function keepVoters(
  dataDir: string,
  self: number,
  voters: readonly number[],
): Promise<void> {
  const file = path.join(dataDir, fileName);
  const before = votersIn(file);
  const others = before.filter((id) => id !== self);
  if (voters.length === 0 && others.length > 0) {
    throw new ServiceError(
      "config.invalid",
      `this node's coordinator is a member of an ensemble with ${others.join(" and ")}: start it with --ensemble. ` +
        "To have it alone, make the others observers first (docs/cluster.md, the coordinator's members); " +
        `where they are gone for good, remove ${file}`,
    );
  }
  const now = voters.length === 0 ? [self] : [...voters];
  if (before.join() === now.join()) return;
  await replaceFile(nodeDisk, file, Buffer.from(`${JSON.stringify({ voters: now })}\n`));
}

function votersIn(file: string): readonly number[] {
  if (!existsSync(file)) return [];
  try {
    return schema.parse(JSON.parse(readFileSync(file, "utf8"))).voters;
  } catch (thrown) {
    const fields = { file, reason: messageOf(thrown).slice(0, 500) };
    throw new ServiceError("storage.damaged", "what is known of the ensemble is damaged", fields);
  }
}
