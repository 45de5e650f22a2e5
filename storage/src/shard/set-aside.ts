import type { StoreContext } from "./context.ts";
import type { DamagedBlock, DamagedSegment } from "./damage-list.ts";
import type { LiveSegment } from "./segment-set.ts";

/** Sets a damaged block of a live segment aside, or all of the segment: nothing of it is read from then on. */
export function setAside(
  context: StoreContext,
  segment: LiveSegment,
  found: DamagedBlock | DamagedSegment,
): void {
  const { logger } = context;
  if (found.block === undefined) {
    segment.isLost = true;
    logger.error({ ...found, file: segment.path }, "segment is damaged, set aside");
    return;
  }
  if (segment.damagedBlocks.has(found.block)) return;
  segment.damagedBlocks.add(found.block);
  logger.error({ ...found, file: segment.path }, "block is damaged, set aside");
  noteDamage(context, found);
}

/** For the next start; that it cannot be is told, and no reason to stop. */
export function noteDamage(
  { damage, logger }: Pick<StoreContext, "damage" | "logger">,
  found: DamagedBlock,
): void {
  damage.add(found).catch((thrown: unknown) => {
    logger.warn({ err: thrown }, "damaged block could not be noted");
  });
}
