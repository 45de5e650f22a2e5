import assert from "node:assert/strict";
import test from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { checkLinearizable, type Model, type Operation } from "./linearizability.ts";
import { checkRegister, type RegisterCall, type RegisterState, registerStep } from "./register.ts";

const never = Number.POSITIVE_INFINITY;

/** An operation as a line: when it began, when it ended, what it was. */
function op(start: number, end: number, call: RegisterCall): Operation<RegisterCall> {
  return { start, end, call };
}

function write(value: string, version?: number): RegisterCall {
  return { kind: "write", value, version };
}

function read(value: string, version: number): RegisterCall {
  return { kind: "read", value, version };
}

function swap(expected: number, value: string, isDone?: boolean): RegisterCall {
  return { kind: "compareAndSet", expected, value, isDone };
}

const histories: {
  readonly name: string;
  readonly isLinearizable: boolean;
  readonly operations: readonly Operation<RegisterCall>[];
}[] = [
  { name: "nothing at all", isLinearizable: true, operations: [] },
  {
    name: "a write, then its read",
    isLinearizable: true,
    operations: [op(0, 1, write("a", 1)), op(2, 3, read("a", 1))],
  },
  {
    name: "a read of the old value after a write had ended",
    isLinearizable: false,
    operations: [op(0, 1, write("a", 1)), op(2, 3, read("0", 0))],
  },
  {
    name: "a read of the old value while the write is under way",
    isLinearizable: true,
    operations: [op(0, 5, write("a", 1)), op(2, 3, read("0", 0))],
  },
  {
    name: "two reads in turn, the second of an older value, while a write is under way",
    isLinearizable: false,
    operations: [op(0, 9, write("a", 1)), op(1, 2, read("a", 1)), op(3, 4, read("0", 0))],
  },
  {
    name: "a read of a value that nobody wrote",
    isLinearizable: false,
    operations: [op(0, 1, write("a", 1)), op(2, 3, read("b", 1))],
  },
  {
    name: "an acknowledged write that is lost",
    isLinearizable: false,
    operations: [op(0, 1, write("a", 1)), op(2, 3, write("b", 1)), op(4, 5, read("b", 1))],
  },
  {
    name: "two writes side by side, in the order of their versions and not of their beginnings",
    isLinearizable: true,
    operations: [
      op(0, 9, write("a", 2)),
      op(1, 8, write("b", 1)),
      op(10, 11, read("a", 2)),
      op(2, 3, read("0", 0)),
    ],
  },
  {
    name: "a write of unknown outcome that took effect long after",
    isLinearizable: true,
    operations: [
      op(0, never, write("a")),
      op(1, 2, read("0", 0)),
      op(3, 4, write("b", 1)),
      op(5, 6, read("a", 2)),
    ],
  },
  {
    name: "a write of unknown outcome that never took effect",
    isLinearizable: true,
    operations: [op(0, never, write("a")), op(3, 4, write("b", 1)), op(5, 6, read("b", 1))],
  },
  {
    name: "a write of unknown outcome that took effect twice",
    isLinearizable: false,
    operations: [
      op(0, never, write("a")),
      op(1, 2, read("a", 1)),
      op(3, 4, write("b", 2)),
      op(5, 6, read("a", 3)),
    ],
  },
  {
    name: "a write of unknown outcome that took effect before it began",
    isLinearizable: false,
    operations: [op(0, 1, read("a", 1)), op(2, never, write("a"))],
  },
  {
    name: "a swap that succeeds at its version",
    isLinearizable: true,
    operations: [op(0, 1, write("a", 1)), op(2, 3, swap(1, "b", true)), op(4, 5, read("b", 2))],
  },
  {
    name: "two swaps at one version that both succeed",
    isLinearizable: false,
    operations: [op(0, 5, swap(0, "a", true)), op(1, 6, swap(0, "b", true))],
  },
  {
    name: "a swap that fails although its version was there all the time",
    isLinearizable: false,
    operations: [op(0, 1, write("a", 1)), op(2, 3, swap(1, "b", false)), op(4, 5, read("a", 1))],
  },
  {
    name: "a swap that fails beside one that succeeds",
    isLinearizable: true,
    operations: [op(0, 5, swap(0, "a", true)), op(1, 6, swap(0, "b", false))],
  },
  {
    name: "a swap of unknown outcome whose version has passed",
    isLinearizable: false,
    operations: [
      op(0, 1, write("a", 1)),
      op(2, never, swap(0, "b")),
      op(3, 4, write("c", 2)),
      op(5, 6, read("b", 3)),
    ],
  },
  {
    name: "a gap of a version that only a swap of unknown outcome can fill",
    isLinearizable: true,
    operations: [op(0, never, swap(0, "a")), op(3, 4, write("b", 2)), op(5, 6, read("b", 2))],
  },
];

for (const { name, isLinearizable, operations } of histories) {
  const said = isLinearizable ? "is linearizable" : "is not linearizable";
  test(`${name}: ${said}`, () => {
    const { kind } = checkRegister(operations, "0");
    assert.equal(kind, isLinearizable ? "linearizable" : "violated");
    // In whatever order they were noted.
    const turned = checkRegister([...operations].reverse(), "0");
    assert.equal(turned.kind, kind);
  });
}

test("what could not come next is told", () => {
  const verdict = checkRegister(
    [op(0, 1, write("a", 1)), op(2, 3, write("b", 2)), op(4, 5, read("a", 1))],
    "0",
  );
  assert.deepEqual(verdict, {
    kind: "violated",
    state: { value: "b", version: 2 },
    stuck: [op(4, 5, read("a", 1))],
  });
});

test("a search without an end in sight is given up and says so", () => {
  // Without versions to go by, any order of the unanswered writes has to be tried.
  const plain: Model<string, string> = {
    initial: "",
    step: (state, call) => (call.startsWith("read ") ? undefined : `${state}${call}`),
    keyOf: (state) => state,
  };
  const unanswered = Array.from({ length: 12 }, (_, at) => ({
    start: at,
    end: never,
    call: String.fromCharCode(97 + at),
  }));
  const verdict = checkLinearizable(
    [...unanswered, { start: 20, end: 21, call: "read x" }],
    plain,
    { triesMax: 1_000 },
  );
  assert.equal(verdict.kind, "undecided");
});

/** Every order of every choice of the unanswered ones is tried: right by its looks, for a handful of operations. */
function isLinearizableByForce(
  operations: readonly Operation<RegisterCall>[],
  state: RegisterState,
): boolean {
  if (operations.every(({ end }) => end === never)) return true;
  const firstEnd = Math.min(...operations.map(({ end }) => end));
  return operations.some((one) => {
    if (one.start > firstEnd) return false;
    const after = registerStep(state, one.call);
    const others = operations.filter((other) => other !== one);
    return after !== undefined && isLinearizableByForce(others, after);
  });
}

/** A few operations at random times with random answers, most of them wrong. */
function guessed(prng: Prng): Operation<RegisterCall>[] {
  return Array.from({ length: 3 + prng.below(5) }, (_, at) => {
    const start = prng.below(8);
    const isLost = prng.chance(0.2);
    const end = isLost ? never : start + 1 + prng.below(6);
    const value = `v${at}`;
    const version = prng.below(4);
    switch (prng.below(3)) {
      case 0:
        return op(start, end, write(value, isLost ? undefined : version + 1));
      case 1:
        return op(start, end, swap(version, value, isLost ? undefined : prng.chance(0.6)));
      default: {
        const written = version === 0 ? "0" : `v${prng.below(8)}`;
        return op(start, start + 1 + prng.below(6), read(written, version));
      }
    }
  });
}

test("of thousands of small histories each is judged as by trying everything", () => {
  const prng = new Prng(5);
  const judged = { linearizable: 0, violated: 0, undecided: 0 };
  for (let at = 0; at < 20_000; at++) {
    const operations = guessed(prng);
    const { kind } = checkRegister(operations, "0");
    const isRight = isLinearizableByForce(operations, { value: "0", version: 0 });
    assert.equal(kind, isRight ? "linearizable" : "violated", JSON.stringify(operations));
    judged[kind]++;
  }
  assert.ok(judged.linearizable > 1_000 && judged.violated > 1_000, JSON.stringify(judged));
});

/** A history as clients of one real register would note it, some of their answers lost. */
function drawn(seed: number, count: number): Operation<RegisterCall>[] {
  const prng = new Prng(seed);
  const clients = Array.from({ length: 10 }, () => 0);
  const found: Operation<RegisterCall>[] = [];
  let state = { value: "0", version: 0 };
  let now = 0;
  while (found.length < count) {
    now += 1;
    // Each takes effect now; it began after the client's last and ends somewhat later.
    const client = prng.below(clients.length);
    const freeAt = clients[client] as number;
    if (freeAt >= now) continue;
    const start = Math.max(freeAt, now - prng.below(12)) + prng.unit() / 4;
    const end = now + 0.5 + prng.below(12);
    clients[client] = end;
    const isLost = prng.chance(0.02);
    const value = `v${found.length}`;
    const next = { value, version: state.version + 1 };
    const wasDone = !isLost || prng.chance(0.5);
    const kind = prng.below(4);
    if (kind <= 1) {
      if (!isLost) found.push(op(start, end, read(state.value, state.version)));
      continue;
    }
    if (kind === 2) {
      found.push(op(start, isLost ? never : end, write(value, isLost ? undefined : next.version)));
      if (wasDone) state = next;
      continue;
    }
    const expected = state.version - prng.below(2);
    const fits = expected === state.version;
    found.push(op(start, isLost ? never : end, swap(expected, value, isLost ? undefined : fits)));
    if (wasDone && fits) state = next;
  }
  return found;
}

test("10,000 operations of ten clients are judged in seconds", () => {
  const operations = drawn(1, 10_000);
  assert.ok(operations.filter(({ end }) => end === never).length > 50);
  const before = process.cpuUsage();
  assert.deepEqual(checkRegister(operations, "0"), { kind: "linearizable" });
  const spentMs = process.cpuUsage(before).user / 1000;
  assert.ok(spentMs < 20_000, `${spentMs} ms`);
});

test("one stale read among thousands of operations is found", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const operations = drawn(seed, 2_000);
    assert.equal(checkRegister(operations, "0").kind, "linearizable");
    const prng = new Prng(seed);
    const reads = operations.filter(({ call }) => call.kind === "read" && call.version > 20);
    const { start, end, call } = prng.pick(reads);
    const old = operations.find(
      (each) =>
        each.call.kind === "read" &&
        each.end < start - 30 &&
        call.kind === "read" &&
        each.call.version < call.version - 5,
    );
    assert.ok(old !== undefined);
    const verdict = checkRegister([...operations, { start, end, call: old.call }], "0");
    assert.equal(verdict.kind, "violated", `SEED=${seed}`);
  }
});
