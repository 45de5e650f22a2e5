import { randomUUID } from "node:crypto";

import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../coordinator/src/client/errors.ts";
import { ensurePath } from "../../coordinator/src/recipes/ensure-path.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import type { Access } from "./access.ts";
import type { InboxId } from "./inbox-sink.ts";
import { inboxBytesMax, inboxRecordsMax, tenantPattern } from "./limits.ts";
import { paths } from "./paths.ts";
import { settle } from "./settle.ts";
import { decodeZnode, encodeZnode, inboxSchema } from "./znode-data.ts";

/** Makes a tenant's inbox, its uuid and its quota where they are missing. Throws `tenant.invalid`. */
export async function ensureInbox(
  client: ZooKeeperClient,
  access: Access,
  tenant: string,
): Promise<InboxId> {
  if (!tenantPattern.test(tenant)) {
    throw new ServiceError("tenant.invalid", "the tenant's name is not valid", { tenant });
  }
  return settle(async () => {
    const path = paths.tenantInbox(tenant);
    const fresh = encodeZnode({ uuid: randomUUID() });
    try {
      await client.create(path, fresh, { acl: access.inboxAcl });
    } catch (thrown) {
      if (!isZooKeeperError(thrown, "NODEEXISTS")) throw thrown;
    }
    await ensureQuota(client, access, path);
    for (;;) {
      const { data, stat } = await client.getData(path);
      if (data !== null && data.length > 0) {
        return { tenant, uuid: decodeZnode(inboxSchema, path, data).uuid };
      }
      // Made by hand: it becomes an inbox with its uuid.
      await client.setData(path, fresh, stat.version).catch((thrown: unknown) => {
        if (!isZooKeeperError(thrown, "BADVERSION")) throw thrown;
      });
    }
  });
}

/** What a client may leave undrained. Enforced by our servers, and by Apache's with `enforceQuota`. */
async function ensureQuota(client: ZooKeeperClient, access: Access, path: string): Promise<void> {
  const { acl } = access;
  // Quotas lie at the server's root, whatever chroot the cluster has.
  const rooted = client.atRoot();
  const quota = paths.quota(client.chroot + path);
  // The directory of the inbox counts, too. In the form that servers before 3.7 read as well.
  const limits = `count=-1,bytes=-1=;byteHardLimit=${inboxBytesMax};countHardLimit=${inboxRecordsMax + 1}`;
  const wanted = Buffer.from(limits);
  const limitsPath = `${quota}/zookeeper_limits`;
  if (await ensurePath(rooted, limitsPath, { acl, data: wanted })) {
    await ensurePath(rooted, `${quota}/zookeeper_stats`, {
      acl,
      data: Buffer.from("count=0,bytes=0"),
    });
    return;
  }
  const { data } = await rooted.getData(limitsPath);
  if (data === null || !data.equals(wanted)) await rooted.setData(limitsPath, wanted);
}
