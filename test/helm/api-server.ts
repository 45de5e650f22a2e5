import { once } from "node:events";
import { writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { temporaryFolder } from "../service.ts";
import type { Manifest } from "./chart.ts";

/**
 * Stands in for a cluster's API server, which cannot run here: tells which kinds there are, and gives the
 * Secrets and StatefulSets it was told of. Helm asks it for what a template looks up, in a run that changes nothing.
 */
export interface ApiServer {
  /** For `--kubeconfig`. */
  readonly kubeconfig: string;
  /** Data of Secrets by `namespace/name`. */
  readonly secrets: Map<string, Readonly<Record<string, string>>>;
  /** What StatefulSets are told to be, by `namespace/name`. */
  readonly statefulSets: Map<string, Manifest>;
  close(): void;
}

const kinds: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "/api/v1": {
    configmaps: "ConfigMap",
    pods: "Pod",
    secrets: "Secret",
    serviceaccounts: "ServiceAccount",
    services: "Service",
  },
  "/apis/apps/v1": { statefulsets: "StatefulSet" },
  "/apis/networking.k8s.io/v1": { ingresses: "Ingress", networkpolicies: "NetworkPolicy" },
  "/apis/policy/v1": { poddisruptionbudgets: "PodDisruptionBudget" },
};

const groups = ["apps", "networking.k8s.io", "policy"].map((name) => {
  const version = { groupVersion: `${name}/v1`, version: "v1" };
  return { name, versions: [version], preferredVersion: version };
});

const fixed: Readonly<Record<string, object>> = {
  "/version": { major: "1", minor: "37", gitVersion: "v1.37.0" },
  "/api": { kind: "APIVersions", versions: ["v1"] },
  "/apis": { kind: "APIGroupList", apiVersion: "v1", groups },
};

/** Listens on a free port of loopback. */
export async function startApiServer(): Promise<ApiServer> {
  const secrets: ApiServer["secrets"] = new Map();
  const statefulSets: ApiServer["statefulSets"] = new Map();
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://api");
    const answer = answerTo(pathname, { secrets, statefulSets });
    response.writeHead(answer === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(answer ?? notFound));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const kubeconfig = path.join(temporaryFolder(), "kubeconfig");
  const cluster = { server: `http://127.0.0.1:${port}` };
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "c", cluster }],
    users: [{ name: "u", user: {} }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
  };
  writeFileSync(kubeconfig, JSON.stringify(config), { mode: 0o600 });
  return {
    kubeconfig,
    secrets,
    statefulSets,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

const notFound = {
  kind: "Status",
  apiVersion: "v1",
  status: "Failure",
  reason: "NotFound",
  code: 404,
};

function answerTo(
  place: string,
  { secrets, statefulSets }: Pick<ApiServer, "secrets" | "statefulSets">,
): object | undefined {
  if (fixed[place] !== undefined) return fixed[place];
  const group = kinds[place];
  if (group !== undefined) {
    const resources = Object.entries(group).map(([name, kind]) => {
      return { name, kind, singularName: "", namespaced: true, verbs: ["get", "list"] };
    });
    const groupVersion = place.replace(/^\/apis?\//, "");
    return { kind: "APIResourceList", apiVersion: "v1", groupVersion, resources };
  }
  const form = /^\/apis?\/(?:apps\/)?v1\/namespaces\/([^/]+)\/(secrets|statefulsets)\/([^/]+)$/;
  const [, namespace = "", kind, name = ""] = form.exec(place) ?? [];
  if (kind === "statefulsets") return statefulSets.get(`${namespace}/${name}`);
  const data = secrets.get(`${namespace}/${name}`);
  if (data === undefined) return undefined;
  return { apiVersion: "v1", kind: "Secret", metadata: { name, namespace }, data };
}
