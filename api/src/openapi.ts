import { z } from "zod";
import { type Answer, type Method, type Route, routes } from "./routes.ts";

type Json = Readonly<Record<string, unknown>>;

/** The contract as an OpenAPI 3.1 document, for `/openapi.json`. */
export function openApiDocument(version: string): Json {
  const schemas: Record<string, unknown> = {};
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    paths[route.path] ??= {};
    const operations = paths[route.path] ?? {};
    for (const method of route.methods) operations[method] = operationOf(route, method, schemas);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Logkeep",
      version,
      description: "Ship, search and watch log records. Errors are RFC 9457 problems with a code.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    security: [{ bearer: [] }, { basic: [] }, { apiKey: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        basic: { type: "http", scheme: "basic" },
        apiKey: {
          type: "apiKey",
          in: "header",
          name: "Authorization",
          description: "ApiKey and the token, as Elasticsearch's clients send it.",
        },
      },
      schemas,
    },
  };
}

function operationOf(route: Route, method: Method, schemas: Record<string, unknown>): Json {
  const parameters = [
    ...parametersOf(route.pathParams, "path"),
    ...parametersOf(route.query, "query", method === "post" && route.methods.includes("get")),
    ...(route.headers ?? []).map(({ name, description }) => ({
      name,
      in: "header",
      description,
      schema: { type: "string" },
    })),
  ];
  const sendsBody = method !== "get" && method !== "head" && route.body !== undefined;
  return {
    // An id must be one operation's alone.
    operationId: method === route.methods[0] ? route.id : `${route.id}By${method.toUpperCase()}`,
    summary: route.summary,
    description:
      route.scope === undefined ? "Open to everyone." : `Needs the scope ${route.scope}.`,
    ...(route.scope === undefined ? { security: [] } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(sendsBody ? { requestBody: bodyOf(route, schemas) } : {}),
    responses: responsesOf(route.answers, schemas),
  };
}

function parametersOf(schema: z.ZodObject | undefined, place: string, optional = false): Json[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: "input" });
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = typeof property === "object" ? property : {};
    return {
      name,
      in: place,
      ...(required.includes(name) && !optional ? { required: true } : {}),
      ...(description === undefined ? {} : { description }),
      schema: rest,
    };
  });
}

function bodyOf({ body, query }: Route, schemas: Record<string, unknown>): Json {
  const content: Record<string, Json> = {};
  for (const media of body?.media ?? []) {
    const isForm = media === "application/x-www-form-urlencoded";
    const schema = isForm ? query : body?.schema;
    content[media] = schema === undefined ? {} : { schema: schemaOf(schema, "input", schemas) };
  }
  return { content };
}

function responsesOf(answers: readonly Answer[], schemas: Record<string, unknown>): Json {
  const responses: Record<string, { description: string; content?: Record<string, Json> }> = {};
  for (const { status, description, media, schema } of answers) {
    const response = responses[status] ?? { description };
    responses[status] = response;
    if (media === undefined) continue;
    response.content ??= {};
    response.content[media] =
      schema === undefined ? {} : { schema: schemaOf(schema, "output", schemas) };
  }
  return responses;
}

/** A schema in place, or a reference to it among the components when it has an id. */
function schemaOf(
  schema: z.ZodType,
  io: "input" | "output",
  schemas: Record<string, unknown>,
): Json {
  const id = schema.meta()?.id;
  const { $schema: _, $defs = {}, ...own } = z.toJSONSchema(schema, { io });
  for (const [name, definition] of Object.entries($defs)) schemas[name] ??= relinked(definition);
  if (id === undefined) return relinked(own) as Json;
  schemas[id] ??= relinked(own);
  return { $ref: `#/components/schemas/${id}` };
}

/** Definitions lie among the components of the document and carry no id of their own there. */
function relinked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(relinked);
  if (typeof value !== "object" || value === null) return value;
  const out: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value)) {
    if (key === "id" && typeof inner === "string") continue;
    if (key === "$ref" && typeof inner === "string") {
      out[key] = inner.replace("#/$defs/", "#/components/schemas/");
    } else {
      out[key] = relinked(inner);
    }
  }
  return out;
}
