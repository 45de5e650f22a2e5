import assert from "node:assert/strict";
import { test } from "node:test";
import { openApiDocument } from "../src/openapi.ts";
import { contextParams, queryParams } from "../src/params.ts";
import { routes } from "../src/routes.ts";

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, unknown>>;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
}

const document = openApiDocument("1.2.3");
const paths = document["paths"] as Readonly<Record<string, Readonly<Record<string, Operation>>>>;
const operations = Object.values(paths).flatMap((path) => Object.values(path));

test("the document names every route and method once", () => {
  const wanted = routes.flatMap(({ path, methods }) =>
    methods.map((method) => `${method} ${path}`),
  );
  const found = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  assert.deepEqual(found.sort(), wanted.sort());
  assert.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length);
});

test("every reference in the document leads to a schema in it", () => {
  const { schemas } = document["components"] as { schemas: Record<string, unknown> };
  const refs = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(
    (found) => found[1] ?? "",
  );
  assert.ok(refs.length > 20);
  for (const ref of refs) {
    assert.ok(ref.startsWith("#/components/schemas/"), ref);
    assert.ok(ref.slice(21) in schemas, ref);
  }
});

test("the parts of a path are its path parameters", () => {
  for (const [path, methods] of Object.entries(paths)) {
    const parts = [...path.matchAll(/\{(\w+)\}/g)].map((found) => found[1]);
    for (const { parameters = [] } of Object.values(methods)) {
      const named = parameters.filter((one) => one.in === "path").map(({ name }) => name);
      assert.deepEqual(named, parts, path);
    }
  }
});

test("every route that needs a key says that it answers 401 and 403", () => {
  for (const { id, scope, answers } of routes) {
    if (scope === undefined || id === "metrics") continue;
    const statuses = answers.map(({ status }) => status);
    assert.ok(statuses.includes(401) && statuses.includes(403), id);
  }
});

test("numbers of a query string are read and bounded", () => {
  assert.equal(queryParams.parse({ query: "*", limit: "0" }).limit, 0);
  assert.equal(queryParams.parse({ query: "*" }).limit, undefined);
  for (const limit of ["-1", "1.5", "x", "", "99999999999999999"]) {
    assert.equal(queryParams.safeParse({ query: "*", limit }).success, false, limit);
  }
  assert.equal(contextParams.safeParse({ stream: "{}", time: "1", before: "1001" }).success, false);
  assert.equal(queryParams.safeParse({}).success, false);
});
