import { clusterAnswerSchema } from "./answers.ts";
import { availabilityAnswerSchema } from "./availability.ts";
import {
  moveRequestSchema,
  nodePath,
  recoverAnswerSchema,
  recoverRequestSchema,
  shardPath,
  shardsAnswerSchema,
} from "./cluster.ts";
import { closed, json, ok, problem, type Route } from "./route.ts";

const done = { status: 204, description: "It is said; status and shards show how it goes." };

/** Of what this node can decide now, and of what the coordinator has to take. */
const refusals = [problem(400), problem(409), problem(503), ...closed];

/** Nodes and shards: what there is, and what an operator may ask for. */
export const clusterRoutes: readonly Route[] = [
  {
    id: "cluster",
    methods: ["get"],
    path: "/api/v1/cluster",
    summary: "Nodes, coordinator, shards, ingest rate, disk.",
    scope: "read",
    answers: [ok("The state of things.", clusterAnswerSchema), ...closed],
  },
  {
    id: "clusterAvailability",
    methods: ["get"],
    path: "/api/v1/cluster/availability",
    summary: "The ensemble's states as a Markov chain, and how far changes spread.",
    scope: "read",
    answers: [ok("As this node saw it.", availabilityAnswerSchema), problem(404), ...closed],
  },
  {
    id: "clusterShards",
    methods: ["get"],
    path: "/api/v1/cluster/shards",
    summary: "Each shard: who owns it, who has copies, how far they are, who is to have it.",
    scope: "read",
    answers: [ok("Shards, by number.", shardsAnswerSchema), ...closed],
  },
  {
    id: "clusterShardMove",
    methods: ["post"],
    path: "/api/v1/cluster/shards/{shard}/move",
    summary:
      "Asks that a copy move from one node to another, or with from = to, that it be owned there.",
    scope: "admin",
    pathParams: shardPath,
    body: { media: [json], schema: moveRequestSchema },
    answers: [done, ...refusals],
  },
  {
    id: "clusterShardRecover",
    methods: ["post"],
    path: "/api/v1/cluster/shards/{shard}/recover",
    summary:
      "Makes the answering node's copy of a shard that nobody can serve the only one that counts: records may be lost.",
    scope: "admin",
    pathParams: shardPath,
    body: { media: [json], schema: recoverRequestSchema },
    answers: [ok("What was given up.", recoverAnswerSchema), ...refusals],
  },
  {
    id: "clusterNodeDrain",
    methods: ["post"],
    path: "/api/v1/cluster/nodes/{node}/drain",
    summary: "Moves everything away from a node, for good.",
    scope: "admin",
    pathParams: nodePath,
    answers: [done, ...refusals],
  },
  {
    id: "clusterNodeUndrain",
    methods: ["post"],
    path: "/api/v1/cluster/nodes/{node}/undrain",
    summary: "Lets a node that was drained have its share again.",
    scope: "admin",
    pathParams: nodePath,
    answers: [done, ...refusals],
  },
];
