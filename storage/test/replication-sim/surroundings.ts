import type { Message } from "../../src/replication/core/messages.ts";
import type {
  Effect,
  Input,
  PlantedFault,
  RefuseReason,
  Replica,
  ReplicaOptions,
} from "../../src/replication/core/types.ts";
import type { Checker, Committed } from "./checker.ts";
import type { Coordinator } from "./coordinator.ts";
import type { StoredFile } from "./files.ts";
import type { Network } from "./network.ts";
import type { Process } from "./process.ts";
import type { Timeline } from "./timeline.ts";

/** Makes the core; another one with a fault planted. */
export type CoreMake = (options: ReplicaOptions) => Replica;

/** What a router is told of a part. */
export type AppendReply =
  | { readonly kind: "stored" }
  | {
      readonly kind: "refused";
      readonly reason: RefuseReason;
      readonly owner: string | undefined;
    }
  /** It may be stored, or be so yet. */
  | { readonly kind: "unknown" };

export type CutReply =
  | { readonly kind: "opened"; readonly through: number; readonly records: readonly number[] }
  | { readonly kind: "refused"; readonly owner: string | undefined }
  /** Some of it could not be read. */
  | { readonly kind: "partial" };

/** The world around a process. */
export interface Surroundings {
  readonly timeline: Timeline;
  readonly coordinator: Coordinator;
  readonly network: Network<Message>;
  readonly checker: Checker;
  readonly make: CoreMake;
  readonly faults: ReadonlySet<PlantedFault>;
  /** Told before each effect: it may be the last, or the next for a long while. */
  beforeEffect(process: Process, effect: Effect): "go" | "crash" | { readonly pauseMs: number };
  isDiskFailing(process: Process): boolean;
  fetch(
    process: Process,
    from: string,
    uuid: string,
    done: (file: StoredFile | undefined) => void,
  ): void;
  /** It needs a restart, at least. */
  halted(process: Process, reason: string): void;
  committed(process: Process, entry: Committed): void;
  saw(what: string): void;
  /** Told of each input and effect, when somebody wants to read how it came. */
  readonly trace: ((process: Process, what: Input | Effect) => void) | undefined;
  uuidNext(): string;
}
