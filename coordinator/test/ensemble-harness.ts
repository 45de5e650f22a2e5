import { randomInt } from "node:crypto";
import { join } from "node:path";
import type { TestContext } from "node:test";

import { type Member, type Membership, memberText } from "../src/quorum/members.ts";
import {
  type Coordinator,
  type CoordinatorOptions,
  startCoordinator,
} from "../src/server/start.ts";
import { temporaryDirectory } from "./log-harness.ts";
import { delay, RawClient } from "./server-harness.ts";

/** How often a condition is looked at, and how long it may take on a loaded machine. */
const pollMs = 10;
const waitMs = 60_000;

/**
 * An ensemble in this process, each member on a loopback address of its own, so that ports never clash with those of
 * another test. It goes with the test.
 */
export class TestEnsemble {
  readonly membership: Membership & { readonly members: Member[] };
  readonly #net: string;
  readonly #directory: string;
  readonly #options: Partial<CoordinatorOptions>;
  readonly #running = new Map<number, Coordinator>();
  /** What ended a member by itself. */
  readonly failures: Error[] = [];

  constructor(
    context: TestContext,
    ids: readonly number[],
    options: Partial<CoordinatorOptions> = {},
    observers: readonly number[] = [],
  ) {
    const net = `127.${randomInt(2, 250)}.${randomInt(1, 250)}`;
    this.#net = net;
    const members = [...ids, ...observers].map(
      (id): Member => ({
        id,
        addresses: [{ host: `${net}.${id}`, quorumPort: 22_888, electionPort: 23_888 }],
        role: observers.includes(id) ? "observer" : "participant",
        client: undefined,
      }),
    );
    this.membership = { members, groups: new Map(), weights: new Map(), version: 0 };
    this.#directory = temporaryDirectory(context);
    this.#options = options;
    context.after(() => this.stopAll());
  }

  async startAll(): Promise<void> {
    await Promise.all(this.membership.members.map(({ id }) => this.start(id)));
  }

  /** Starts one that is no member yet: its file names the others, and itself. */
  async startJoining(id: number): Promise<Coordinator> {
    this.membership.members.push({
      id,
      addresses: [{ host: `${this.#net}.${id}`, quorumPort: 22_888, electionPort: 23_888 }],
      role: "participant",
      client: { host: "127.0.0.1", port: 24_888 },
    });
    return this.start(id);
  }

  /** As a request to join names it. */
  lineOf(id: number): string {
    const member = this.membership.members.find((each) => each.id === id);
    return `server.${id}=${memberText(member!)}`;
  }

  /** With what is other than the ensemble's for this time. */
  async start(id: number, options: Partial<CoordinatorOptions> = {}): Promise<Coordinator> {
    const coordinator = await startCoordinator({
      dataDir: join(this.#directory, String(id)),
      serverId: id,
      tickTimeMs: 200,
      connectionsPerAddress: 0,
      ensemble: {
        // As its file said when it was started.
        membership: { ...this.membership, members: [...this.membership.members] },
        initLimit: 50,
        syncLimit: 10,
        listenOnAllIPs: false,
        reconfigEnabled: true,
        standaloneEnabled: false,
      },
      fatal: (error) => this.failures.push(error),
      ...this.#options,
      ...options,
    });
    this.#running.set(id, coordinator);
    return coordinator;
  }

  async stop(id: number): Promise<void> {
    const coordinator = this.#running.get(id);
    this.#running.delete(id);
    await coordinator?.close();
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((id) => this.stop(id)));
  }

  get(id: number): Coordinator {
    const coordinator = this.#running.get(id);
    if (coordinator === undefined) throw new Error(`member ${id} does not run`);
    return coordinator;
  }

  port(id: number): number {
    return this.get(id).address.port;
  }

  /** The ids of members that run, by their mode. */
  in(mode: string): readonly number[] {
    return [...this.#running].filter(([, { mode: its }]) => its === mode).map(([id]) => id);
  }

  /** Waits until one leads and every other running member serves; returns the leader. */
  async serving(): Promise<number> {
    await until("one leads and the others follow", () => {
      const others = this.in("follower").length + this.in("observer").length;
      return this.in("leader").length === 1 && others === this.#running.size - 1;
    });
    return this.in("leader")[0]!;
  }

  async client(context: TestContext, id: number): Promise<RawClient> {
    return (await RawClient.open(context, this.port(id))).client;
  }
}

export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + waitMs; Date.now() < end; await delay(pollMs)) {
    if (await holds()) return;
  }
  throw new Error(`waited in vain until ${what}`);
}
