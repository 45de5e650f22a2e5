import { z } from "zod";
import { tenantSchema } from "../../api/src/key.ts";

const field = z.string().min(1).max(255);

const kafka = z.strictObject({
  brokers: z
    .array(
      z
        .string()
        .regex(/^[^\s/]+:\d{1,5}$/, "must be HOST:PORT")
        .refine(hasPort, "must have a port of 1 to 65535"),
    )
    .min(1)
    .max(64),
  topic: z
    .string()
    .regex(/^[a-zA-Z0-9._-]{1,249}$/, "is no name of a topic")
    .refine((name) => name !== "." && name !== "..", "is no name of a topic"),
  /** The consumer group, where lag is shown; what was stored is known without it. */
  group: z.string().min(1).max(255).optional(),
  /** Where a partition begins that was never read. */
  from: z.enum(["earliest", "latest"]).default("earliest"),
  tls: z.boolean().default(false),
  sasl: z
    .strictObject({
      mechanism: z.enum(["plain", "scram-sha-256", "scram-sha-512"]),
      username: z.string().min(1),
      /** A file, so that the configuration holds no secret. */
      passwordFile: z.string().min(1),
    })
    .optional(),
});

function hasPort(address: string): boolean {
  const port = Number(address.slice(address.lastIndexOf(":") + 1));
  return port >= 1 && port <= 65_535;
}

/** A place from which records are fetched, in the configuration's list `sources`. */
export const sourceSchema = z.strictObject({
  /** Unique; names the elected role of its reader. */
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "must be lower-case letters, digits and -"),
  tenant: tenantSchema.default("default"),
  /** `json`: a message is a JSON object; `text`: it is the record's `_msg`. */
  format: z.enum(["json", "text"]).default("json"),
  /** Fields that form the stream. */
  stream: z.array(field).max(32).optional(),
  /** Fields in which the time is looked for; the message's own timestamp stands in. */
  time: z.array(field).min(1).max(8).default(["_time"]),
  /** Fields in which the message is looked for. */
  msg: z.array(field).min(1).max(8).default(["_msg"]),
  /** Fields that every record gets. */
  extra: z.record(field, z.string().max(4096)).default({}),
  kafka,
});

export type SourceSettings = z.output<typeof sourceSchema>;
