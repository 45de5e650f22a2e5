import { type Delete, deleteSchema } from "../../../api/src/deletes.ts";
import { inTime } from "../../../cluster/src/in-time.ts";
import type { ZooKeeperClient } from "../../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../../coordinator/src/client/errors.ts";
import type { Acl } from "../../../coordinator/src/wire/records.ts";
import { ledgerMax } from "./limits.ts";

const root = "/logkeep/deletes";

/** A delete that is done, and whose. */
export interface LedgerEntry {
  readonly tenant: string;
  readonly made: Delete;
}

/** The deletes that are done, a znode each: the proof that no file holds what they name. The oldest go first. */
export class DeleteLedger {
  readonly #client: ZooKeeperClient;
  readonly #acl: readonly Acl[];

  /** `acl`: what is deleted by is as private as what was stored. */
  constructor(client: ZooKeeperClient, acl: readonly Acl[]) {
    this.#client = client;
    this.#acl = acl;
  }

  /** Rejects as the coordinator does; written before with the same id, it stays as it is. */
  async write(entry: LedgerEntry): Promise<void> {
    await this.#create(root, null);
    const data = Buffer.from(JSON.stringify(entry));
    await this.#create(`${root}/${entry.made.id}`, data);
    await this.#trim();
  }

  /** Of one tenant, newest first. Rejects as `inTime`. */
  async list(tenant: string): Promise<Delete[]> {
    const entries = await inTime(this.#client, () => this.#all());
    return entries
      .filter((entry) => entry.tenant === tenant)
      .map(({ made }) => made)
      .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
  }

  async has(id: string): Promise<boolean> {
    return (await this.#client.exists(`${root}/${id}`)) !== null;
  }

  async #create(path: string, data: Buffer | null): Promise<void> {
    try {
      await this.#client.create(path, data, { acl: this.#acl });
    } catch (thrown) {
      if (!isZooKeeperError(thrown, "NODEEXISTS")) throw thrown;
    }
  }

  async #all(): Promise<LedgerEntry[]> {
    const read = await Promise.all((await this.#names()).map((name) => this.#read(name)));
    return read.filter((entry) => entry !== undefined);
  }

  async #names(): Promise<readonly string[]> {
    try {
      return (await this.#client.getChildren(root)).children;
    } catch (thrown) {
      if (isZooKeeperError(thrown, "NONODE")) return [];
      throw thrown;
    }
  }

  async #read(name: string): Promise<LedgerEntry | undefined> {
    try {
      const { data } = await this.#client.getData(`${root}/${name}`);
      const { tenant, made } = JSON.parse((data ?? Buffer.from("{}")).toString()) as LedgerEntry;
      const parsed = deleteSchema.safeParse(made);
      return parsed.success ? { tenant, made: parsed.data } : undefined;
    } catch (thrown) {
      if (isZooKeeperError(thrown, "NONODE") || thrown instanceof SyntaxError) return undefined;
      throw thrown;
    }
  }

  async #trim(): Promise<void> {
    if ((await this.#names()).length <= ledgerMax) return;
    const entries = await this.#all();
    entries.sort((a, b) => (a.made.createdAt < b.made.createdAt ? -1 : 1));
    for (const { made } of entries.slice(0, entries.length - ledgerMax)) {
      await this.#client.delete(`${root}/${made.id}`).catch((thrown: unknown) => {
        if (!isZooKeeperError(thrown, "NONODE")) throw thrown;
      });
    }
  }
}
