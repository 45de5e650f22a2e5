import { ensureInbox } from "./inbox.ts";
import { type DrainerOptions, type DrainerStats, InboxDrainer } from "./inbox-drainer.ts";
import { tenantPattern } from "./limits.ts";
import { paths } from "./paths.ts";
import { settle } from "./settle.ts";

/** The inboxes of all tenants, each with a drainer here that works while it is the elected one. */
export class Inboxes {
  readonly #options: DrainerOptions;
  readonly #drainers = new Map<string, InboxDrainer>();
  #isClosed = false;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: DrainerOptions) {
    this.#options = options;
  }

  /** Makes what is missing, begins to drain what is there, and what comes later. */
  async open(tenants: readonly string[]): Promise<void> {
    for (const tenant of tenants) await this.ensure(tenant);
    await this.#look();
  }

  /** Makes the inbox of a tenant; it is drained from then on. Throws `tenant.invalid`. */
  async ensure(tenant: string): Promise<void> {
    await ensureInbox(this.#options.client, this.#options.access, tenant);
  }

  /** By tenant. */
  stats(): ReadonlyMap<string, DrainerStats> {
    return new Map([...this.#drainers].map(([tenant, drainer]) => [tenant, drainer.stats]));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#looking;
    await Promise.all([...this.#drainers.values()].map((drainer) => drainer.close()));
  }

  async #look(): Promise<void> {
    const { client, logger } = this.#options;
    const watch = (): void => {
      if (this.#isClosed) return;
      this.#looking = this.#looking
        .then(() => this.#look())
        .catch((thrown: unknown) => {
          if (!this.#isClosed) logger.error({ err: thrown }, "inboxes could not be listed");
        });
    };
    const { children } = await settle(() => client.getChildren(paths.inbox, { watch }));
    if (this.#isClosed) return;
    for (const tenant of children) {
      if (this.#drainers.has(tenant)) continue;
      if (tenantPattern.test(tenant))
        this.#drainers.set(tenant, new InboxDrainer(this.#options, tenant));
      else logger.warn({ tenant }, "an inbox has no valid tenant's name and is not drained");
    }
    const gone = [...this.#drainers].filter(([tenant]) => !children.includes(tenant));
    for (const [tenant, drainer] of gone) {
      this.#drainers.delete(tenant);
      await drainer.close();
    }
  }
}
