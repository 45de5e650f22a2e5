import { type Command, InvalidArgumentError } from "commander";
import { keyCreatedSchema, keysAnswerSchema } from "../../api/src/answers.ts";
import { isScope, type Scope, scopes } from "../../api/src/scopes.ts";
import { parseDurationMs } from "../../config/src/quantity.ts";
import { ServiceClient, type ServiceOptions, withService } from "./client.ts";
import { CliExit, type CliIo, print, usageError } from "./io.ts";
import { sayingWhy } from "./leader.ts";
import { harmless, tableOf } from "./style.ts";

const path = "/api/v1/keys";

/** Adds `keys create`, `keys list` and `keys revoke`. */
export function registerKeys(program: Command, io: CliIo): void {
  const keys = program.command("keys").description("make, list and revoke API keys");
  withService(keys.command("create"))
    .description("make a key and print its token, which is shown this once")
    .argument("<name>", "what the key is for, as shipper or ci")
    .requiredOption(
      "--scope <scopes>",
      "what it allows: read, write, delete, admin, or several",
      scopesOf,
    )
    .option("--expires <time>", "how long it holds, as 90d, or until when, in RFC 3339")
    .addHelpText(
      "after",
      `
Examples:
  logkeep keys create shipper --scope write
  logkeep keys create dashboards --scope read --expires 90d
  export LOGKEEP_KEY=$(logkeep keys create admin --scope admin)`,
    )
    .action((name: string, options: CreateOptions) => create(io, name, options));
  withService(keys.command("list"))
    .description("list the keys, without their secrets")
    .option("--json", "as JSON")
    .action((options: ServiceOptions & { json?: boolean }) => list(io, options));
  withService(keys.command("revoke"))
    .description("revoke a key; requests with it are refused from then on")
    .argument("<id>", "the key's id, as keys list shows it")
    .action((id: string, options: ServiceOptions) => revoke(io, id, options));
}

interface CreateOptions extends ServiceOptions {
  readonly scope: readonly Scope[];
  readonly expires?: string;
}

async function create(io: CliIo, name: string, options: CreateOptions): Promise<void> {
  const client = new ServiceClient(io, options);
  const expiresAt = options.expires === undefined ? undefined : expiryOf(options.expires);
  const { tenant } = options;
  const body = JSON.stringify({ name, scopes: options.scope, tenant, expiresAt });
  const headers = { "content-type": "application/json" };
  const request = { method: "POST", headers, body, signal: io.signal };
  const answer = keyCreatedSchema.safeParse(
    await sayingWhy(io, client, client.json(client.urlOf(path), request)),
  );
  if (!answer.success)
    throw new CliExit(1, "the answer is not a key; is the service of this version?");
  const { token, key } = answer.data;
  // The token alone goes to stdout, so that a script can take it.
  await print(
    io.stderr,
    `key ${key.id} (${harmless(key.name)}): ${key.scopes.join(", ")} in tenant ${key.tenant}; ` +
      "its token is shown this once\n",
  );
  await print(io.stdout, `${token}\n`);
}

async function list(io: CliIo, options: ServiceOptions & { json?: boolean }): Promise<void> {
  const client = new ServiceClient(io, options);
  const answer = await client.json(client.urlOf(path), { signal: io.signal });
  if (options.json === true) {
    await print(io.stdout, `${JSON.stringify(answer, undefined, 2)}\n`);
    return;
  }
  const parsed = keysAnswerSchema.safeParse(answer);
  if (!parsed.success)
    throw new CliExit(1, "the answer is no list of keys; is the service of this version?");
  const rows = parsed.data.keys.map((key) => [
    key.id,
    harmless(key.name),
    key.scopes.join(","),
    key.tenant,
    key.createdAt,
    key.expiresAt ?? "never",
  ]);
  await print(io.stdout, tableOf(["ID", "NAME", "SCOPES", "TENANT", "CREATED", "EXPIRES"], rows));
}

async function revoke(io: CliIo, id: string, options: ServiceOptions): Promise<void> {
  if (!/^[0-9a-f]{16}$/.test(id))
    throw usageError(`${id} is no key's id; logkeep keys list shows them`);
  const client = new ServiceClient(io, options);
  const asked = client.ask(client.urlOf(`${path}/${id}`), { method: "DELETE", signal: io.signal });
  await sayingWhy(io, client, asked);
  await print(io.stdout, `key ${id} is revoked\n`);
}

function scopesOf(text: string): readonly Scope[] {
  const wanted = text.split(",").map((scope) => scope.trim());
  if (!wanted.every(isScope)) throw new InvalidArgumentError(`Allowed are ${scopes.join(", ")}.`);
  return [...new Set(wanted)];
}

function expiryOf(text: string): string {
  const durationMs = parseDurationMs(text);
  const at = durationMs === undefined ? Date.parse(text) : Date.now() + durationMs;
  if (Number.isNaN(at)) throw usageError(`--expires needs a time as 90d or RFC 3339, not ${text}`);
  if (at <= Date.now()) throw usageError(`--expires lies in the past: ${text}`);
  return new Date(at).toISOString();
}
