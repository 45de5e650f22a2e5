import { slabBytes } from "../../../storage/src/shard/limits.ts";

/** The number by which the journal writes to the arena: neither a worker's nor the store's own. */
export const journalArenaWriter = 1_000_001;

/** Bytes of texts in one batch of the journal; a batch fits a slab, with room for names and offsets. */
export const journalBatchBytesMax = slabBytes / 2;

/** Rows of one batch of the journal: what one entry of the log may hold. */
export const journalRowsMax = 4096;

/** An append with longer texts is packed, so that many lines which differ little fit one batch. */
export const journalPlainBytesMax = journalBatchBytesMax / 2;

/** Bytes of one append before it is packed: what is made and compressed in one turn of the loop. */
export const journalAppendBytesMax = 32 * 1024 * 1024;

/** Bytes of one row of a packed append. */
export const journalPieceBytes = 512 * 1024;

/** How long an append waits for room in memory. */
export const journalRoomMs = 30_000;

/**
 * Days that the journal is kept for at least, however soon records go: what is in force is written again each day, and
 * a fortnight lets a stop over the holidays pass.
 */
export const journalDaysMin = 14;

/** The journal is read in spans of this length, one after the other: what of one span is held in memory. */
export const journalSpanMs = 60 * 60 * 1000;

/** Deadline of reading one span. */
export const journalReadMs = 60_000;

/** Rows of one evaluation: groups of a rule's query. More are refused, since to leave some out would resolve them. */
export const evaluationRowsMax = 10_000;

/** Evaluations that wait for their turn: the scheduler runs but a few side by side. */
export const evaluationsWaitingMax = 1024;

/** An evaluation that takes longer has its rule wait for others of that kind, and no other rule for it. */
export const evaluationSlowMs = 5000;

/** Rules that are known to take long. */
export const slowRulesMax = 10_000;

/** The share of the queries that may run at once which rules have, beside one that takes long. */
export const evaluationShare = 4;

/** Bytes of matching lines that wait for one rule's next call, beyond those of the newest record. */
export const matchLinesBytesMax = 256 * 1024;

/** How often a match rule without matches is told how far it was followed, so that a restart has less to read again. */
export const matchProgressMs = 60_000;

/** Deadline of reading what a match rule has missed, of one shard. */
export const matchReplayMs = 10 * 60 * 1000;

/** Bytes of a body with rules. */
export const rulesBodyMaxBytes = 256 * 1024;

/** Notifications of one answer of history without a wish. */
export const historyDefault = 100;

/** How long a stop waits for evaluations and deliveries under way. */
export const alertsCloseMs = 4000;

/** How long a start waits until rules are evaluated, before it serves without. */
export const alertsBeginMs = 5000;
