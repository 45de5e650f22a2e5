import { entryBytesMax } from "../wire/limits.ts";
import type { PacketLimits } from "../wire/quorum.ts";

/** A proposal must be taken whatever limit its leader was given; ids are those of one client's connection. */
export const packetLimits: PacketLimits = {
  dataBytesMax: entryBytesMax,
  idsMax: 1_000,
  idBytesMax: 64 * 1024,
};

/** Sessions in one ping: one for each connection of a server. */
export const touchesMax = 1_000_000;

/** Bytes that wait to be sent on a link; who is so far behind is given up and synchronises anew. */
export const linkBytesMaxDefault = 256 * 1024 * 1024;

/** A link's write buffer above this is not kept for the next flush. */
export const linkWriterBytesKept = 1024 * 1024;

/** Bytes that lie in a socket's buffer before more of an image is asked for. */
export const imageBytesAhead = 1024 * 1024;

/** Links and election connections: ids end at 255, and one may come anew before its old one has gone. */
export const linksMax = 512;

/** Of the election connections, those of ids that are no member's. */
export const strangersMax = 64;

/** Connections of one address to one port: all members on one machine, and half as many again that come anew. */
export const linksPerAddressMax = 384;

/** Connections that have not said who they are; the oldest goes for a new one. */
export const unnamedMax = 64;

/** Bytes of the first packet of a learner: it says who it is in twenty. */
export const unnamedBytesMax = 1024;

/** Apache's limit for one message of an election. */
export const electionBytesMax = 512 * 1024;

/** Apache's `cnxTimeout`. */
export const connectWithinMs = 5_000;

/** A place that has not answered by then is dialled once more beside it, up to ten times in all. */
export const redialMs = 500;

/** A connection that is closed with last bytes may take this long to take them. */
export const closeWithinMs = 2_000;

/** Waits before a peer that was not to be reached is tried again, while there is something to tell it. */
export const reconnectMsMin = 100;
export const reconnectMsMax = 800;

/**
 * An election connection that answered nothing for so long while it was spoken to is opened anew: longer than a peer that looks
 * is silent, and shorter than the system takes to repeat what was lost while the network was apart.
 */
export const electionSilenceMs = 2_000;

/** Between two lines of the log that somebody's TLS failed: who does so all the time shall not fill it. */
export const failureLogMs = 10_000;
