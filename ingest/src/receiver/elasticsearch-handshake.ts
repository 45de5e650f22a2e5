import { elasticAnswer, elasticFailure, withPrefix } from "./elasticsearch.ts";
import type { Prepared, Receiver, ReceiverRequest } from "./receiver.ts";

/** What clients are told they talk to. Beats refuse one older than themselves, hence a late one. */
const version = "9.5.0";
const clusterName = "logkeep";
const clusterUuid = "bG9na2VlcC1jbHVzdGVyLTE";

/** The information document, at `/` for whoever is not a browser; open, so that a browser gets to its page. */
export const elasticInfoReceiver: Receiver = {
  ...answering("elasticsearch-info", ["/"], (request) => {
    const isBrowser = (request.headers.accept ?? "").includes("text/html");
    if (isBrowser && request.path === "/") return undefined;
    return {
      name: clusterName,
      cluster_name: clusterName,
      cluster_uuid: clusterUuid,
      version: {
        number: version,
        build_flavor: "default",
        build_type: "tar",
        build_hash: "0000000000000000000000000000000000000000",
        build_date: "2026-01-01T00:00:00.000000000Z",
        build_snapshot: false,
        lucene_version: "10.3.0",
        minimum_wire_compatibility_version: "8.19.0",
        minimum_index_compatibility_version: "8.0.0",
      },
      tagline: "You Know, for Search",
    };
  }),
  scope: undefined,
};

export const elasticLicenseReceiver: Receiver = answering(
  "elasticsearch-license",
  ["/_license"],
  () => ({
    license: {
      status: "active",
      uid: clusterUuid,
      type: "basic",
      issued_to: clusterName,
      issuer: clusterName,
    },
  }),
);

export const elasticHealthReceiver: Receiver = answering(
  "elasticsearch-health",
  ["/_cluster/health", "/_cluster/health/:index"],
  () => ({
    cluster_name: clusterName,
    status: "green",
    timed_out: false,
    number_of_nodes: 1,
    number_of_data_nodes: 1,
    active_primary_shards: 1,
    active_shards: 1,
    relocating_shards: 0,
    initializing_shards: 0,
    unassigned_shards: 0,
  }),
);

/** Who sniffs for nodes is sent to the address it came by. */
export const elasticNodesReceiver: Receiver = answering(
  "elasticsearch-nodes",
  ["/_nodes/http", "/_nodes/_all/http"],
  (request) => ({
    _nodes: { total: 1, successful: 1, failed: 0 },
    cluster_name: clusterName,
    nodes: {
      [clusterUuid]: {
        name: clusterName,
        version,
        build_flavor: "default",
        roles: ["data", "ingest", "master"],
        http: { publish_address: request.headers.host ?? "127.0.0.1", bound_address: [] },
      },
    },
  }),
);

/**
 * Templates, lifecycle policies and pipelines that shippers set up before they send. There is nothing to set
 * up: all are told to be there, and taken when they are sent.
 */
export const elasticSetupReceiver: Receiver = {
  ...answering(
    "elasticsearch-setup",
    [
      "/_ilm/policy/:name",
      "/_index_template/:name",
      "/_template/:name",
      "/_component_template/:name",
      "/_ingest/pipeline/:name",
      "/_data_stream/:name",
      "/_xpack",
    ],
    (request) =>
      request.method === "PUT" || request.method === "POST" ? { acknowledged: true } : {},
  ),
  methods: ["get", "head", "put", "post"],
};

/** A receiver that answers a request at once, whatever its body; `undefined` passes it on. */
function answering(
  name: string,
  paths: readonly string[],
  body: (request: ReceiverRequest) => object | undefined,
): Receiver {
  return {
    name,
    methods: ["get", "head"],
    paths: withPrefix(paths),
    scope: "write",
    prepare(request: ReceiverRequest): Prepared {
      const document = body(request);
      if (document === undefined) return { kind: "pass" };
      const answer = elasticAnswer(request, 200, document);
      return {
        kind: "answer",
        answer: request.method === "HEAD" ? { ...answer, body: "" } : answer,
      };
    },
    answer: (request) => elasticAnswer(request, 200, {}),
    failure: elasticFailure,
  };
}
