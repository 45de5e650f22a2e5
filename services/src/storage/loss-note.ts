import { existsSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import type { Cluster } from "../../../cluster/src/cluster.ts";
import { inTime } from "../../../cluster/src/in-time.ts";
import { messageOf } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import type { AcceptedLoss } from "../../../storage/src/log/accept-loss.ts";
import { nodeDisk, replaceFile } from "../../../storage/src/log/disk.ts";

const count = z.int().nonnegative();

const notesSchema = z.array(
  z.object({
    at: z.string(),
    /** Of the operating system. */
    user: z.string(),
    entries: z.array(z.object({ shard: count, from: count, through: count })),
    places: z.array(z.object({ file: z.string(), offset: count, bytes: count })),
  }),
);

type LossNote = z.infer<typeof notesSchema>[number];

/** What was given up while the node was stopped, until a start has journalled it. */
const fileName = "accepted-loss.json";

/** Keeps it for the next start, behind what still waits there; durable when this resolves. */
export async function noteLoss(
  dataDir: string,
  loss: AcceptedLoss,
  { user, nowMs }: { readonly user: string; readonly nowMs: number },
): Promise<void> {
  const note = { at: new Date(nowMs).toISOString(), user, ...loss };
  const text = `${JSON.stringify([...waiting(dataDir), note], undefined, 2)}\n`;
  await replaceFile(nodeDisk, path.join(dataDir, fileName), Buffer.from(text));
}

/**
 * Writes what waits to the audit journal. Where that fails the start goes on, and the next one tries again; a node that dies in between
 * journals it twice.
 */
export async function journalLosses(
  dataDir: string,
  node: number,
  cluster: Pick<Cluster, "audit" | "client">,
  logger: Logger,
): Promise<void> {
  try {
    const changes = waiting(dataDir).map((after) =>
      cluster.audit.step({
        ...{ by: undefined, action: "storage.accept-loss", target: String(node), after },
      }),
    );
    if (changes.length === 0) return;
    await inTime(cluster.client, (signal) => cluster.client.multi(changes, { signal }));
    rmSync(path.join(dataDir, fileName));
  } catch (thrown) {
    const reason = messageOf(thrown);
    logger.error({ file: fileName, reason }, "what was given up of the log is not journalled yet");
  }
}

function waiting(dataDir: string): readonly LossNote[] {
  const file = path.join(dataDir, fileName);
  return existsSync(file) ? notesSchema.parse(JSON.parse(readFileSync(file, "utf8"))) : [];
}
