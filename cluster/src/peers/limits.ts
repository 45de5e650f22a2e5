/** Bytes of a frame's header: length, kind, flags, exchange, and a number. */
export const frameHeaderBytes = 16;

/** A message goes out in pieces of this size, so that no large one keeps heartbeats and other lanes waiting for long. */
export const fragmentBytes = 256 * 1024;

/** A message: four of the longest batches. The receiver allocates it whole. */
export const messageBytesMax = 16 * 1024 * 1024;

/** What is not carried as bytes: it is read and written in one turn of the event loop. */
export const headBytesMax = 1024 * 1024;

/** Byte arrays of one message. */
export const piecesMax = 4_096;

/** Names of methods and channels: they go with each message. */
export const nameBytesMax = 100;

/** Below this a fragment is not worth the start of a compression. */
export const packFromBytes = 16 * 1024;

/** A packed fragment is sent only where it has at most this share of its bytes; else unpacking costs more than it saves. */
export const packedShareMax = 0.9;

/** After a fragment that did not shrink, so many are sent as they are before it is tried again. */
export const packSkipped = 7;

/** One-way messages that wait for a link: the window of a replica that is slow but not dead. */
export const oneWayQueueBytesMax = 32 * 1024 * 1024;

/** Calls, answers and items of streams that wait for a link. */
export const exchangeQueueBytesMax = 64 * 1024 * 1024;

/** Messages that wait in either queue: each costs its object, however small it is. */
export const queueMessagesMax = 65_536;

/** What is handed to a socket before it has drained: enough to fill a link, little to wait behind. */
export const socketBufferBytes = 512 * 1024;

/** Calls and streams of one link that are under way at a time, in each direction. */
export const exchangesMax = 1_024;

/** Characters of an error's message where the whole of the error is more than a message carries. */
export const failureTextMax = 1_000;

/** Bytes of a stream that are on the way or wait to be taken; one message may go beyond. */
export const streamWindowBytes = 1024 * 1024;

/** How often each side says that it is there. */
export const heartbeatMs = 500;

/** A link on which nothing was heard for so long is dead: four heartbeats, and four of our own, which come late on a starved machine. */
export const linkDeadMs = 2_000;

/** The longest of a handshake's messages: names, a nonce and a proof. */
export const handshakeBytesMax = 4_096;

/** How long a handshake may take, from the connection on, that of TLS included. */
export const handshakeMs = 5_000;

/** Connections that have proved nothing yet: what all without the secret can hold. */
export const handshakesMax = 64;

/** The same of one address: nodes that share one, or are started at once on one machine, try again when they are too many. */
export const handshakesOfAddressMax = 16;

/** How often is said that an address has too many: whoever makes them decides how often that is. */
export const strangersSayMs = 10_000;

/** Connections of the listener at a time: those of all other nodes twice, guests, and handshakes. */
export const connectionsMax = 600;

/** Connections of processes that are about to join. */
export const guestsMax = 16;

/** How long such a connection lasts. */
export const guestMs = 30_000;

/** How long a connection may take to be made. */
export const dialMs = 3_000;

/** The pause before a node is dialled again; it doubles up to the longest, and a part of it is drawn. */
export const redialMsMin = 100;
export const redialMsMax = 1_000;

/** The node with the larger number waits so long to be dialled before it dials itself: one of two connections is in vain. */
export const dialledWaitMs = 1_000;

/** The shortest secret of a cluster: what can be guessed protects nothing. */
export const secretBytesMin = 16;

/** Messages from this size on are received into memory that is used again. */
export const pooledBytesMin = 32 * 1024;

/** How much such memory is kept for all links while nothing lies in it. */
export const receivePoolBytesMax = 16 * 1024 * 1024;

/** How long a part of a sealed file is waited for: its disk may be busy with merges. */
export const segmentReadMs = 30_000;
