import type { Request } from "express";
import express from "express";
import type { Key, KeyCreated, KeysAnswer } from "../../../api/src/answers.ts";
import type { StoredKey } from "../../../api/src/key.ts";
import { keyCreateBody } from "../../../api/src/params.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { KeyStore } from "../auth/key-store.ts";
import type { App } from "./app.ts";

/** A request to make a key is small. */
const keyBodyMaxBytes = 16 * 1024;

/** `/api/v1/keys`: list, create, revoke. */
export function mountKeys(app: App, keys: KeyStore): void {
  app.express.use("/api/v1/keys", express.json({ limit: keyBodyMaxBytes }));
  app.mount("get", "/api/v1/keys", "admin", (_, response) => {
    const answer: KeysAnswer = { keys: keys.list().map(listed) };
    response.json(answer);
  });
  app.mount("post", "/api/v1/keys", "admin", async (request, response, { key }) => {
    const { expiresAt, ...body } = parseBody(request);
    const at = expiresAt === undefined ? undefined : Date.parse(expiresAt);
    const { token, stored } = await keys.create({ ...body, expiresAt: at }, key);
    const answer: KeyCreated = { token, key: listed(stored) };
    response.status(201).json(answer);
  });
  app.mount("delete", "/api/v1/keys/:id", "admin", async (request, response, { key }) => {
    await keys.revoke(String(request.params["id"]), key);
    response.status(204).end();
  });
}

function parseBody(request: Request) {
  const parsed = keyCreateBody.safeParse(request.body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ServiceError("request.malformed", issue?.message ?? "the body cannot be read", {
    path: issue?.path.join(".") ?? "",
  });
}

function listed({ hash: _, createdAt, expiresAt, ...rest }: StoredKey): Key {
  const key = { ...rest, scopes: [...rest.scopes], createdAt: new Date(createdAt).toISOString() };
  return expiresAt === undefined ? key : { ...key, expiresAt: new Date(expiresAt).toISOString() };
}
