import {
  connectionThrottleDefault,
  sessionWeightsDefault,
} from "../../coordinator/src/server/connection-throttle.ts";
import { requestThrottleDefault } from "../../coordinator/src/server/request-throttle.ts";
import type { CoordinatorOptions } from "../../coordinator/src/server/start.ts";
import { ServiceError } from "../../kit/src/errors.ts";

const prefix = "zookeeper.";

/** Properties of throttling. Of a closed connection no request is taken up here, whatever `request_stale_connection_check` says. */
export const throttlingNames: readonly string[] = [
  "connection_throttle_tokens",
  "connection_throttle_fill_time",
  "connection_throttle_fill_count",
  "connection_throttle_freeze_time",
  "connection_throttle_drop_increase",
  "connection_throttle_drop_decrease",
  "connection_throttle_decrease_ratio",
  "connection_throttle_weight_enabled",
  "connection_throttle_global_session_weight",
  "connection_throttle_local_session_weight",
  "connection_throttle_renew_session_weight",
  "request_throttle_max_requests",
  "request_throttle_stall_time",
  "request_throttle_drop_stale",
  "request_stale_latency_check",
  "request_stale_connection_check",
  "throttled_op_wait_time",
  "request_throttler.shutdownTimeout",
].map((name) => prefix + name);

/** Throttling of connections and requests, off unless it is set. Throws `config.invalid` for a wrong value. */
export function throttlingOf(
  properties: ReadonlyMap<string, string>,
): Pick<CoordinatorOptions, "connectionThrottle" | "requestThrottle"> {
  const isSet = throttlingNames.some((name) => givenOf(properties, name) !== undefined);
  if (!isSet) return {};
  const whole = (short: string, otherwise: number, min = 0): number =>
    numberOf(properties, prefix + short, { otherwise, min, max: 2 ** 31 - 1, form: /^\d{1,10}$/ });
  const share = (short: string, otherwise: number): number =>
    numberOf(properties, prefix + short, { otherwise, min: 0, max: 1, form: /^\d*\.?\d+$/ });
  const flag = (short: string, otherwise: boolean): boolean => {
    const value = givenOf(properties, prefix + short) ?? String(otherwise);
    if (/^(true|false)$/i.test(value)) return value.toLowerCase() === "true";
    throw refusal(`${prefix}${short} must be true or false, not ${value}`);
  };
  const connections = connectionThrottleDefault;
  const weight = sessionWeightsDefault;
  const requests = requestThrottleDefault;
  const isFrozen = givenOf(properties, `${prefix}connection_throttle_freeze_time`) ?? "-1";
  const weights = {
    global: whole("connection_throttle_global_session_weight", weight.global, 1),
    local: whole("connection_throttle_local_session_weight", weight.local, 1),
    renew: whole("connection_throttle_renew_session_weight", weight.renew, 1),
  };
  if (weights.local > Math.min(weights.global, weights.renew)) {
    throw refusal("a local session cannot weigh more than a global one, or one that comes again");
  }
  return {
    connectionThrottle: {
      tokensMax: whole("connection_throttle_tokens", connections.tokensMax),
      fillMs: whole("connection_throttle_fill_time", connections.fillMs, 1),
      fillCount: whole("connection_throttle_fill_count", connections.fillCount, 1),
      freezeMs: isFrozen === "-1" ? undefined : whole("connection_throttle_freeze_time", 0),
      dropIncrease: share("connection_throttle_drop_increase", connections.dropIncrease),
      dropDecrease: share("connection_throttle_drop_decrease", connections.dropDecrease),
      decreaseRatio: share("connection_throttle_decrease_ratio", connections.decreaseRatio),
      weights: flag("connection_throttle_weight_enabled", false) ? weights : undefined,
    },
    requestThrottle: {
      requestsMax: whole("request_throttle_max_requests", requests.requestsMax),
      stallMs: whole("request_throttle_stall_time", requests.stallMs, 1),
      dropsStale: flag("request_throttle_drop_stale", requests.dropsStale),
      isStaleByLatency: flag("request_stale_latency_check", requests.isStaleByLatency),
      opWaitMs: whole("throttled_op_wait_time", requests.opWaitMs),
    },
  };
}

interface Bounds {
  readonly otherwise: number;
  readonly min: number;
  readonly max: number;
  readonly form: RegExp;
}

function numberOf(
  properties: ReadonlyMap<string, string>,
  name: string,
  { otherwise, min, max, form }: Bounds,
): number {
  const text = givenOf(properties, name);
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (form.test(text) && value >= min && value <= max) return value;
  throw refusal(`${name} must be a number from ${min} to ${max}, not ${text}`);
}

/** Apache's documentation names one of them without the prefix. */
function givenOf(properties: ReadonlyMap<string, string>, name: string): string | undefined {
  return properties.get(name) ?? properties.get(name.slice(prefix.length));
}

function refusal(message: string): ServiceError {
  return new ServiceError("config.invalid", message);
}
