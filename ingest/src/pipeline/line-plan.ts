import type { LineShape } from "../protocol/line-shapes.ts";
import { type FieldRoles, role } from "./field-roles.ts";

/**
 * What the fields of all lines of a shape mean in a request, when none of those that mean something is empty. A slot
 * is -1 where there is no such field.
 */
export interface LinePlan {
  readonly shape: LineShape;
  /** The names of the shape, then those of the added fields that it does not have, as they are stored. */
  readonly nameIds: Int32Array;
  /** The slot of each added field. */
  readonly addedSlots: Int32Array;
  readonly timeSlot: number;
  readonly msgSlot: number;
  /** The slot of each field that forms the stream. */
  readonly streamSlots: Int32Array;
}

export interface LineMeanings {
  readonly roles: FieldRoles;
  readonly msgId: number;
  readonly streamFieldCount: number;
  /** The names of fields that each record gets, over what it has. */
  readonly addedIds: readonly number[];
}

/** The plans of the shapes that came in requests of one kind, kept while such requests follow each other. */
export class LinePlans {
  #kind = "";
  #meanings!: LineMeanings;
  #plans: (LinePlan | undefined)[] = [];

  /** Begins a request. `kind` differs for requests in which the same names mean different things. */
  open(kind: string, meanings: LineMeanings): void {
    if (kind !== this.#kind) this.#plans = [];
    this.#kind = kind;
    this.#meanings = meanings;
  }

  of(shape: LineShape): LinePlan {
    const known = this.#plans[shape.id];
    if (known !== undefined && known.shape === shape) return known;
    const plan = planLine(shape, this.#meanings);
    while (this.#plans.length <= shape.id) this.#plans.push(undefined);
    this.#plans[shape.id] = plan;
    return plan;
  }
}

function planLine(shape: LineShape, meanings: LineMeanings): LinePlan {
  const { roles, msgId, streamFieldCount, addedIds } = meanings;
  const ids = [...shape.nameIds];
  const addedSlots = Int32Array.from(addedIds, (nameId) => {
    const slot = ids.indexOf(nameId);
    return slot >= 0 ? slot : ids.push(nameId) - 1;
  });
  const streamSlots = new Int32Array(streamFieldCount).fill(-1);
  for (const [slot, nameId] of ids.entries()) {
    if (roles.has(nameId, role.stream)) streamSlots[roles.streamIndex[nameId] as number] = slot;
  }
  const timeSlot = bestSlot(ids, roles, role.time);
  const msgSlot = bestSlot(ids, roles, role.message);
  const isRenamed = msgSlot >= 0 && ids[msgSlot] !== msgId;
  const nameIds = Int32Array.from(ids, (nameId, slot) => {
    if (slot === msgSlot) return msgId;
    const isTaken = (isRenamed && nameId === msgId) || roles.has(nameId, role.reserved);
    return isTaken ? roles.storedId(nameId) : nameId;
  });
  return { shape, nameIds, addedSlots, timeSlot, msgSlot, streamSlots };
}

/** The slot of the field with the role that has the lowest rank; the first of several. */
function bestSlot(ids: readonly number[], roles: FieldRoles, bit: number): number {
  let best = -1;
  for (const [slot, nameId] of ids.entries()) {
    if (!roles.has(nameId, bit)) continue;
    if (best < 0 || (roles.rank[nameId] as number) < (roles.rank[ids[best] as number] as number)) {
      best = slot;
    }
  }
  return best;
}
