import assert from "node:assert/strict";
import test from "node:test";
import { type PollPage, startPolling } from "../src/poll.ts";

/** A page whose visibility and time are moved by hand. */
class HandPage implements PollPage {
  #isVisible = true;
  readonly #listeners = new Set<() => void>();
  /** The one wait under way. */
  waitMs: number | undefined;
  #act: () => void = () => {};

  isVisible = (): boolean => this.#isVisible;

  onVisibility = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  after = (ms: number, act: () => void): (() => void) => {
    assert.equal(this.waitMs, undefined, "two waits are under way");
    this.waitMs = ms;
    this.#act = act;
    return () => {
      this.waitMs = undefined;
    };
  };

  show(isVisible: boolean): void {
    this.#isVisible = isVisible;
    for (const listener of this.#listeners) listener();
  }

  elapse(): void {
    assert.notEqual(this.waitMs, undefined, "nothing waits");
    this.waitMs = undefined;
    this.#act();
  }
}

/** Questions that are answered by hand. */
class Questions {
  readonly signals: AbortSignal[] = [];
  #settle: { readonly resolve: () => void; readonly reject: (why: Error) => void } | undefined;

  ask = (signal: AbortSignal): Promise<void> => {
    assert.equal(this.#settle, undefined, "two questions are under way");
    this.signals.push(signal);
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  };

  get count(): number {
    return this.signals.length;
  }

  async answer(): Promise<void> {
    this.#settle?.resolve();
    await this.#settled();
  }

  async fail(): Promise<void> {
    this.#settle?.reject(new Error("no"));
    await this.#settled();
  }

  async #settled(): Promise<void> {
    this.#settle = undefined;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function started() {
  const page = new HandPage();
  const questions = new Questions();
  const polling = startPolling({ ask: questions.ask, everyMs: 5000, waitMsMax: 60_000, page });
  return { page, questions, polling };
}

test("it asks at once, and again a while after each answer", async () => {
  const { page, questions } = started();
  assert.equal(questions.count, 1);
  assert.equal(page.waitMs, undefined);
  await questions.answer();
  assert.equal(page.waitMs, 5000);
  page.elapse();
  assert.equal(questions.count, 2);
});

test("failures in a row wait longer, up to a bound; an answer ends that", async () => {
  const { page, questions } = started();
  const waits: (number | undefined)[] = [];
  for (let i = 0; i < 6; i++) {
    await questions.fail();
    waits.push(page.waitMs);
    page.elapse();
  }
  assert.deepEqual(waits, [10_000, 20_000, 40_000, 60_000, 60_000, 60_000]);
  await questions.answer();
  assert.equal(page.waitMs, 5000);
});

test("a hidden page asks nothing, and asks at once when it is seen again", async () => {
  const { page, questions } = started();
  await questions.answer();
  page.show(false);
  assert.equal(page.waitMs, undefined);
  page.show(true);
  assert.equal(questions.count, 2);
});

test("a page that is hidden while it asks does not ask again until it is seen", async () => {
  const { page, questions } = started();
  page.show(false);
  await questions.answer();
  assert.equal(page.waitMs, undefined);
  page.show(true);
  assert.equal(questions.count, 2);
});

test("asking now while an answer is under way asks once more behind it", async () => {
  const { page, questions, polling } = started();
  polling.now();
  polling.now();
  assert.equal(questions.count, 1);
  await questions.answer();
  assert.equal(questions.count, 2);
  await questions.answer();
  assert.equal(questions.count, 2);
  polling.now();
  assert.equal(page.waitMs, undefined, "the wait goes on beside the question");
  assert.equal(questions.count, 3);
});

test("stopped, it gives the question up and asks no more", async () => {
  const { page, questions, polling } = started();
  polling.stop();
  assert.equal(questions.signals[0]?.aborted, true);
  await questions.answer();
  page.show(false);
  page.show(true);
  polling.now();
  assert.equal(page.waitMs, undefined);
  assert.equal(questions.count, 1);
});
