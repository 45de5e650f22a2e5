/** The number by which parts that other nodes route here are written to the arena: of no worker, nor the store's or a journal's. */
export const routedArenaWriter = 1_000_100;

/** How long a call waits for the owner to commit: its disk may be busy; a broken link ends it much earlier. */
export const routedCallMs = 30_000;

/** How long parts of other nodes wait here for room in the arena, before their router is told to hold them. */
export const routedRoomMs = 5_000;

/** How long a node that has said that it does not serve a shard is not asked for it, unless the shard's znodes change. */
export const doubtMs = 500;

/** How long a node that stops still holds records for shards without an owner: its own go to others meanwhile. */
export const stopHoldMs = 3_000;

/** A shard that takes nothing for so long is not on the move: its owner's session, and twice what a take-over takes on a busy machine. */
export const movingMsMax = 15_000;

/** The share of the memory for records that those for such shards may hold: the rest is for shards that take theirs. */
export const heldArenaShareMax = 0.25;
