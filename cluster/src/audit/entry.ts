import { z } from "zod";
import { type MultiStep, steps } from "../../../coordinator/src/client/multi.ts";
import type { Acl } from "../../../coordinator/src/wire/records.ts";
import { paths } from "../paths.ts";
import { encodeZnode } from "../znode-data.ts";
import { auditTextMax } from "./limits.ts";

/** Who asked for a change: the name of a key, or undefined where none was needed. */
export type Actor = string | undefined;

/** A change of what users configure, as the audit journal has it. Secrets are never in it. */
export const auditEntrySchema = z.object({
  /** By the clock of the node that made it, in milliseconds since the epoch. The journal's own order is that of the commits. */
  atMs: z.number(),
  /** The key's name; empty where none was needed. */
  by: z.string(),
  /** Node by which it was asked for. */
  node: z.int(),
  /** As `config.set`. */
  action: z.string(),
  /** What was changed: a section, a rule, a key's id. */
  target: z.string(),
  tenant: z.string().optional(),
  /** Of the target, after the change. */
  version: z.int().optional(),
  /** What it was and what it became, as JSON. */
  before: z.string().optional(),
  after: z.string().optional(),
});
export type AuditEntry = z.infer<typeof auditEntrySchema>;

/** What a change says of itself; time and node are added where it is written. */
export type AuditNote = Pick<AuditEntry, "action" | "target" | "tenant" | "version"> & {
  readonly by: Actor;
  readonly before?: unknown;
  readonly after?: unknown;
};

/** Turns changes into entries: each goes into the very `multi` that makes the change. */
export class AuditTrail {
  readonly #acl: readonly Acl[];
  readonly #node: number;
  readonly #now: () => number;

  constructor(acl: readonly Acl[], node: number, now: () => number) {
    this.#acl = acl;
    this.#node = node;
    this.#now = now;
  }

  /** The step that journals a change; sequential, so that no change waits for another's. */
  step(note: AuditNote): MultiStep {
    const { by = "", before, after, ...rest } = note;
    const entry: AuditEntry = {
      ...{ atMs: this.#now(), by, node: this.#node, ...rest },
      ...(before === undefined ? {} : { before: textOf(before) }),
      ...(after === undefined ? {} : { after: textOf(after) }),
    };
    const options = { mode: "persistentSequential", acl: this.#acl } as const;
    return steps.create(paths.auditEntryPrefix, encodeZnode(entry), options);
  }
}

/** Cut where it is too long: the journal says that it was changed, the history what to. */
function textOf(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > auditTextMax ? `${text.slice(0, auditTextMax)}…` : text;
}
