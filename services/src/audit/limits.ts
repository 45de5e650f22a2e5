/** The number by which the folder of the audit journal writes to the arena: nobody else's. */
export const auditArenaWriter = 1_000_002;

/** How long folded entries wait for room in memory. */
export const auditRoomMs = 30_000;

/** Days that the audit journal is kept for at least, however soon records go. */
export const auditDaysMin = 400;

/** Deadline of reading entries, in milliseconds. */
export const auditReadMs = 30_000;
