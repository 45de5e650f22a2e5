import type { ReplicaLinks } from "./links.ts";
import type { SegmentSource } from "./segment-source.ts";

/** Of a node that has no others. */
export const noLinks: ReplicaLinks = {
  send: () => false,
  onMessage: () => () => undefined,
  onLink: () => () => undefined,
  onRoom: () => () => undefined,
};

/** Likewise. */
export const noSource: SegmentSource = {
  read: () => Promise.resolve(undefined),
};
