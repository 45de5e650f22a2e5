import { z } from "zod";

/** The bodies of `/api/v1/config`. Times are RFC 3339 in UTC. */

const version = z.int().min(0).describe("Raised by one with each change; 0: nothing was set yet.");
const values = z
  .record(z.string(), z.unknown())
  .describe("By path of the setting, as query.timeoutMs.");

const sectionSchema = z.strictObject({
  section: z.string(),
  version,
  values,
  by: z.string().describe("Name of the key that set it; empty where none was needed."),
  at: z.string().optional().describe("Absent for what was never set."),
});

export const configAnswerSchema = z
  .strictObject({
    sections: z.array(sectionSchema).describe("What is set for the whole cluster."),
    settings: z
      .array(
        z.strictObject({
          path: z.string(),
          value: z.unknown().describe("With which this node runs."),
          origin: z
            .string()
            .optional()
            .describe("What set it: cluster, a line of a file, a variable, flag; absent: default."),
          effect: z.enum(["at-once", "at-restart"]),
          waiting: z
            .unknown()
            .optional()
            .describe("The value that this node will run with after its next start."),
        }),
      )
      .describe("The settings that can be set for the whole cluster, as of the node that answers."),
  })
  .meta({ id: "ConfigAnswer" });
export type ConfigAnswer = z.infer<typeof configAnswerSchema>;

export const configChangeSchema = z
  .strictObject({
    set: values.optional(),
    unset: z.array(z.string()).max(100).optional().describe("Paths that go back to the default."),
    rollback: z.int().min(0).optional().describe("Values of this version become the values again."),
    version: version.optional().describe("Only if the section has this version."),
  })
  .meta({ id: "ConfigChange" });
export type ConfigChange = z.infer<typeof configChangeSchema>;

export const configChangedSchema = z
  .strictObject({
    ...sectionSchema.shape,
    afterRestart: z
      .array(z.string())
      .describe("Of what was changed: takes effect at the next start."),
    overridden: z
      .array(z.string())
      .describe(
        "Of what was changed: the file, a variable or a flag of the node that answers says otherwise.",
      ),
  })
  .meta({ id: "ConfigChanged" });
export type ConfigChanged = z.infer<typeof configChangedSchema>;

export const configHistorySchema = z
  .strictObject({ versions: z.array(sectionSchema).describe("The latest first.") })
  .meta({ id: "ConfigHistory" });
export type ConfigHistory = z.infer<typeof configHistorySchema>;
