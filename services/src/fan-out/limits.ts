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

/** How long a node has for opening a cut, or for an answer to any small question, in milliseconds. */
export const openTimeoutMs = 5000;

/** Tails and rules of other nodes that follow this one. */
export const followersMax = 4096;

/** Bytes that wait for one of them: a node that takes no more is left, and begins again where it was. */
export const followedBytesMax = 8 * 1024 * 1024;
