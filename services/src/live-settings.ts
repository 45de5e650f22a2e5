import type { LoadedSettings } from "../../config/src/load.ts";
import type { Settings } from "../../config/src/schema.ts";
import { type SharedValues, sharedSettings } from "../../config/src/shared.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import type { Logger } from "../../kit/src/logger.ts";

/** Loads the settings of this node again, over what is set for the whole cluster. Throws `config.invalid`. */
export type LoadOver = (shared: SharedValues) => LoadedSettings;

/** A setting of the whole cluster that this node runs with another value of until it is started again. */
export interface PendingSetting {
  readonly path: string;
  readonly running: unknown;
  readonly set: unknown;
}

/** The settings of this process, as far as they may change while it runs. */
export class LiveSettings {
  /** Whoever reads a setting here when it is needed sees each change; whoever keeps the value does not. */
  readonly view: Settings;
  readonly #load: LoadOver;
  readonly #logger: Logger;
  readonly #listeners = new Set<() => void>();
  #started: LoadedSettings;
  /** As set now, were the node started now. */
  #wanted: LoadedSettings;
  #current: Settings;

  /** With what is set for the cluster at the start. Throws `config.invalid` for what this node cannot run with. */
  constructor(load: LoadOver, shared: SharedValues, logger: Logger) {
    this.#load = load;
    this.#logger = logger;
    this.#started = load(shared);
    this.#wanted = this.#started;
    this.#current = this.#started.settings;
    const view = {};
    for (const section of Object.keys(this.#current) as (keyof Settings)[]) {
      Object.defineProperty(view, section, { enumerable: true, get: () => this.#current[section] });
    }
    this.view = view as Settings;
  }

  /** What sets a setting that is not at its default, were the node started now. */
  originOf(path: string): string | undefined {
    return this.#wanted.origins.get(path);
  }

  /** What set the value that this node runs with. */
  runningOriginOf(path: string): string | undefined {
    const running = sharedSettings.get(path) === "at-once" ? this.#wanted : this.#started;
    return running.origins.get(path);
  }

  /** Settings whose change waits for a restart. */
  get pending(): readonly PendingSetting[] {
    const found: PendingSetting[] = [];
    for (const [path, effect] of sharedSettings) {
      if (effect === "at-once") continue;
      const [running, set] = [this.#started, this.#wanted].map((of) => valueAt(of.settings, path));
      if (JSON.stringify(running) !== JSON.stringify(set)) found.push({ path, running, set });
    }
    return found;
  }

  /** Called after a change took effect. Returns how to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Whether this node could run with these values for the cluster. Throws `config.invalid`. */
  check(shared: SharedValues): void {
    this.#load(shared);
  }

  /** Takes what is set for the cluster now. What a node of another version set and this one cannot run with is left as it is. */
  apply(shared: SharedValues): void {
    const before = this.#wanted.settings;
    try {
      this.#wanted = this.#load(shared);
    } catch (thrown) {
      if (!(thrown instanceof ServiceError)) throw thrown;
      this.#logger.error({ reason: thrown.message }, "the cluster's settings do not fit this node");
      return;
    }
    const isAtOnce = (path: string): boolean => sharedSettings.get(path) === "at-once";
    const next = structuredClone(this.#started.settings) as Settings;
    const changed: string[] = [];
    for (const path of sharedSettings.keys()) {
      const value = valueAt(this.#wanted.settings, path);
      if (JSON.stringify(value) === JSON.stringify(valueAt(before, path))) continue;
      changed.push(path);
    }
    for (const path of [...sharedSettings.keys()].filter(isAtOnce)) {
      setAt(next, path, valueAt(this.#wanted.settings, path));
    }
    this.#current = next;
    if (changed.length === 0) return;
    const waiting = changed.filter((path) => !isAtOnce(path));
    this.#logger.info({ changed, afterRestart: waiting }, "the cluster's settings have changed");
    for (const listener of this.#listeners) listener();
  }
}

/** The value of a setting. */
export function valueAt(settings: Settings, path: string): unknown {
  let at: unknown = settings;
  for (const part of path.split(".")) at = (at as Record<string, unknown> | undefined)?.[part];
  return at;
}

function setAt(settings: Settings, path: string, value: unknown): void {
  const parts = path.split(".");
  const name = parts.pop() ?? "";
  let at = settings as unknown as Record<string, unknown>;
  for (const part of parts) at = at[part] as Record<string, unknown>;
  at[name] = value;
}
