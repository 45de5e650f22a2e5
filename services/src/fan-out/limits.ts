/** Cuts that other nodes hold open here: each pins memory and files, and belongs to a query that its own node admitted. */
export const cutsMax = 2048;

/** Bytes of one message of an answer: entries of replicas and other answers come in between. */
export const answerPieceBytes = 256 * 1024;

/** Bytes of the answer to one piece of a query: the asking node's bound of a query's memory is checked when it is there. */
export const answerBytesMax = 512 * 1024 * 1024;

/** How long the cuts of a node that is gone stay, in milliseconds: a link may break while both its ends live on. */
export const goneKeepMs = 5000;

/** How long a query waits for shards that are on the move, in milliseconds: a moment longer than a planned move takes. */
export const movingWaitMs = 8000;

/** How long one look at the owners lasts before the shards are asked for again, in milliseconds. */
export const movingTickMs = 250;

/** Pieces of a query that one other node has at a time: its threads and what lies there ready. */
export const piecesPerNode = 4;

/** Tries of a piece whose link broke, and the milliseconds between them. */
export const pieceTries = 4;
export const pieceRetryMs = 400;

/** How long the list of a shard's sealed files may take to be read, in milliseconds, before an answer does without. */
export const manifestLookMs = 2000;

/** Sealed parts that one message names: each is looked for on the disk, and together in one turn of the loop. */
export const sealedPartsMax = 500;

/** Bytes of deletes that are told with a part, so that copies can stand in for it: there may be thousands of both. */
export const partDeletionBytesMax = 1024;

/** Bytes of a tenant's deletes that are told with a cut, for shards that nobody serves: more of them, and nothing is told. */
export const cutDeletionBytesMax = 256 * 1024;

/** How long another node keeps what it opened for one piece that was asked of it in place of its owner, in milliseconds; mostly it is told earlier. */
export const standInKeepMs = 60_000;

/** Other nodes that one piece is asked of, one after the other, before it is given up. */
export const standInsMax = 3;

/** A piece that takes so many times as long as others is late; see `Stragglers`. */
export const lateFactor = 3;

/** No piece is late before, in milliseconds: what a busy disk or a collection pause may cost anyone. */
export const lateMsMin = 250;

/** The same where no other piece of the query has been answered. */
export const lateLoneMs = 1000;

/** Pieces whose times are remembered, and how many say nothing yet. */
export const lateRecentCount = 256;
export const lateRecentMin = 20;

/** Of all pieces, the share that may be asked twice, and how many of them at once: what it costs a cluster that is slow as a whole. */
export const askedTwiceShare = 0.05;
export const askedTwiceMax = 8;

/** How long a node has for opening a cut, or for an answer to any small question, in milliseconds. */
export const openTimeoutMs = 5000;

/** Tails and rules of other nodes that follow this one. */
export const followersMax = 4096;

/** Bytes that wait for one of them: a node that takes no more is left, and begins again where it was. */
export const followedBytesMax = 8 * 1024 * 1024;

/** What an entry counts towards them beside its lines, of which it may have none. */
export const followedEntryBytes = 100;
