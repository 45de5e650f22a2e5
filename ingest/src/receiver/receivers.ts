import { bulkReceiver } from "./elasticsearch.ts";
import {
  elasticHealthReceiver,
  elasticInfoReceiver,
  elasticLicenseReceiver,
  elasticNodesReceiver,
  elasticSetupReceiver,
} from "./elasticsearch-handshake.ts";
import { lokiReadyReceiver, lokiReceiver } from "./loki.ts";
import { nativeReceiver } from "./native.ts";
import { otlpReceiver } from "./otlp.ts";
import type { Receiver } from "./receiver.ts";

/** Every endpoint that takes records, and what their shippers ask beside it. */
export const receivers: readonly Receiver[] = [
  nativeReceiver,
  lokiReceiver,
  lokiReadyReceiver,
  otlpReceiver,
  bulkReceiver,
  elasticInfoReceiver,
  elasticLicenseReceiver,
  elasticHealthReceiver,
  elasticNodesReceiver,
  elasticSetupReceiver,
];
