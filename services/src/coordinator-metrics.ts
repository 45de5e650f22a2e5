import { Counter, Gauge, type Registry } from "prom-client";
import type { CoordinatorStats } from "../../coordinator/src/server/start.ts";

const states = ["led", "electing", "recovering"] as const;

/** Shows what this process's coordinator tells of its ensemble. */
export function registerCoordinatorMetrics(
  registry: Registry,
  stats: () => Promise<CoordinatorStats>,
): void {
  const read = shared(stats);
  const registers = [registry];
  new Gauge({
    name: "logkeep_coordinator_state",
    help: "1 for the state that the ensemble is in, as this member sees it.",
    labelNames: ["state"],
    registers,
    async collect() {
      const { availability } = await read();
      for (const state of states) this.set({ state }, availability.state === state ? 1 : 0);
    },
  });
  new Counter({
    name: "logkeep_coordinator_state_seconds_total",
    help: "Time in each state, over all runs of this member.",
    labelNames: ["state"],
    registers,
    async collect() {
      const { observedMs } = (await read()).availability;
      this.reset();
      for (const state of states) this.inc({ state }, observedMs[state] / 1000);
    },
  });
  new Counter({
    name: "logkeep_coordinator_transitions_total",
    help: "How often one state followed another, over all runs of this member.",
    labelNames: ["from", "to"],
    registers,
    async collect() {
      const { rates } = (await read()).availability;
      this.reset();
      for (const { from, to, count } of rates) this.inc({ from, to }, count);
    },
  });
  optionalGauge(
    "logkeep_coordinator_availability",
    "Share of time led in the long run.",
    (all) => all.availability.availability,
  );
  optionalGauge(
    "logkeep_coordinator_txns_per_member",
    "Txns of the last minute by members that have them.",
    (all) => all.propagation.window.txnsPerMember,
  );
  optionalGauge(
    "logkeep_coordinator_txns_per_notification",
    "Txns of the last minute by watch notifications.",
    (all) => all.propagation.window.txnsPerNotification,
  );

  function optionalGauge(
    name: string,
    help: string,
    value: (stats: CoordinatorStats) => number | undefined,
  ): void {
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        // Not known is not 0.
        this.set(value(await read()) ?? Number.NaN);
      },
    });
  }
}

/** One question to the coordinator's thread for all metrics that are read at once. */
function shared<T>(read: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined;
  return () => {
    asked ??= read().finally(() => {
      asked = undefined;
    });
    return asked;
  };
}
