import { z } from "zod";

// Forms of Kubernetes that several values have. What the chart hands on as it is stays open: Kubernetes checks it.

/** Labels, annotations, node selectors: any key, a text each. */
export const texts = z.record(z.string(), z.string());

/** An object of Kubernetes that is handed on as it is. */
export const object = z.record(z.string(), z.unknown());

/** Objects of Kubernetes that are handed on as they are. */
export const objects = z.array(object);

/** A DNS label, or nothing for "not set". */
export const nameOrNone = z
  .string()
  .max(63)
  .regex(/^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$/);

/** The name of an object, or nothing for "not set". */
export const objectNameOrNone = z
  .string()
  .max(253)
  .regex(/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$/);

/** A name of a host as an Ingress takes it; a wildcard may stand first. */
export const host = z
  .string()
  .max(253)
  .regex(/^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);

/** A key within a Secret. */
export const secretKey = z
  .string()
  .max(253)
  .regex(/^[-._a-zA-Z0-9]+$/);

const quantityPattern = /^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei)?$/;

/** An amount of a resource, as `500m` or `2Gi`. */
export const quantity = z.union([z.string().regex(quantityPattern), z.number().gt(0)]);

/** An amount of disk, as `50Gi`. */
export const diskSize = z.string().regex(/^[1-9][0-9]*(\.[0-9]+)?(M|Mi|G|Gi|T|Ti|P|Pi)$/);

const amounts = z.record(z.string(), quantity);

export const resources = z.strictObject({
  requests: amounts.optional(),
  limits: amounts.optional(),
  claims: objects.optional(),
});

const seccompProfile = z.strictObject({
  type: z.enum(["RuntimeDefault", "Localhost", "Unconfined"]),
  localhostProfile: z.string().optional(),
});

const id = z.int().min(0).max(2_147_483_647).optional();

/** Of the pod. `runAsUser` may be left out where a cluster gives each namespace its own range. */
export const podSecurityContext = z.strictObject({
  runAsNonRoot: z.boolean().optional(),
  runAsUser: id,
  runAsGroup: id,
  fsGroup: id,
  fsGroupChangePolicy: z.enum(["OnRootMismatch", "Always"]).optional(),
  supplementalGroups: z.array(z.int().min(0)).optional(),
  seccompProfile: seccompProfile.optional(),
  seLinuxOptions: object.optional(),
  appArmorProfile: object.optional(),
  sysctls: objects.optional(),
});

/** Of the container. */
export const containerSecurityContext = z.strictObject({
  allowPrivilegeEscalation: z.boolean().optional(),
  readOnlyRootFilesystem: z.boolean().optional(),
  privileged: z.boolean().optional(),
  runAsNonRoot: z.boolean().optional(),
  runAsUser: id,
  runAsGroup: id,
  capabilities: z
    .strictObject({
      add: z.array(z.string()).optional(),
      drop: z.array(z.string()).optional(),
    })
    .optional(),
  seccompProfile: seccompProfile.optional(),
  seLinuxOptions: object.optional(),
  appArmorProfile: object.optional(),
});

/** A variable of the container. */
export const envVar = z.strictObject({
  name: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/),
  value: z.string().optional(),
  valueFrom: object.optional(),
});
