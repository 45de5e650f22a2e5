import { createHash, hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { appendFile, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { type BackupManifest, backupManifestSchema } from "../../../api/src/backup.ts";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";

/** A file of a backup as it was copied. */
export type BackedUpFile = BackupManifest["files"][number];

const manifestName = "backup.json";
/** What was copied since the last manifest: a line of JSON each. */
const progressName = "progress.ndjson";
const filesName = "files";

/**
 * A backup's directory: `files/<shard>/<name>`, and `backup.json`, written last, that names each with its checksum. While a backup
 * is made, the one before stays whole.
 */
export class BackupFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  pathOf(name: string): string {
    return join(this.path, filesName, name);
  }

  /** Makes the directory, or throws when it holds something else. */
  async prepare(): Promise<void> {
    await mkdir(join(this.path, filesName), { recursive: true, mode: 0o700 });
    const known = [manifestName, `${manifestName}.part`, progressName, filesName];
    const other = (await readdir(this.path)).find((name) => !known.includes(name));
    if (other === undefined) return;
    const message = "the directory holds something that is no backup";
    throw new ServiceError("storage.failed", message, { directory: this.path, file: other });
  }

  /** Undefined where there is none. Throws `backup.damaged`. */
  async manifest(): Promise<BackupManifest | undefined> {
    const path = join(this.path, manifestName);
    let text: string;
    try {
      text = await readFile(path, "utf8");
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw thrown;
    }
    const end = text.indexOf("\n");
    const body = text.slice(end + 1);
    const fail = (reason: string): ServiceError =>
      new ServiceError("backup.damaged", `the backup cannot be used: ${reason}`, { file: path });
    if (end !== 64 || hash("sha256", body) !== text.slice(0, end))
      throw fail("its checksum differs");
    const parsed = backupManifestSchema.safeParse(JSON.parse(body));
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw fail(`${issue?.path.join(".") ?? ""} ${issue?.message ?? "is of another version"}`);
  }

  /** Files with the checksums they were copied with: of the last backup, and of one that was broken off. */
  async known(): Promise<Map<string, BackedUpFile>> {
    const files = new Map<string, BackedUpFile>();
    for (const file of (await this.manifest())?.files ?? []) files.set(file.name, file);
    const text = await readFile(join(this.path, progressName), "utf8").catch(() => "");
    for (const line of text.split("\n")) {
      try {
        const file = JSON.parse(line) as BackedUpFile;
        files.set(file.name, file);
      } catch {
        // The last line of a process that was killed, or the end.
      }
    }
    return files;
  }

  /** Writes a file of known length whole, durable, under its name; gives its checksum. */
  async write(
    { name, bytes }: { readonly name: string; readonly bytes: number },
    content: AsyncIterable<Uint8Array>,
  ): Promise<BackedUpFile> {
    const path = this.pathOf(name);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const sum = createHash("sha256");
    let written = 0;
    const file = await open(`${path}.part`, "w", 0o600);
    try {
      for await (const chunk of content) {
        written += chunk.length;
        sum.update(chunk);
        await file.writeFile(chunk);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    if (written !== bytes) {
      const message = "a file came with another length";
      throw new ServiceError("storage.failed", message, { file: name, bytes, written });
    }
    await rename(`${path}.part`, path);
    await syncDirectory(dirname(path));
    const made = { name, bytes, sha256: sum.digest("hex") };
    await appendFile(join(this.path, progressName), `${JSON.stringify(made)}\n`, { mode: 0o600 });
    return made;
  }

  /** Ends a backup: from here on it is the one that the directory holds, and files of the one before go. */
  async finish(manifest: BackupManifest): Promise<void> {
    for (const path of [join(this.path, filesName), this.path]) await syncDirectory(path);
    const body = `${JSON.stringify(manifest)}\n`;
    const path = join(this.path, manifestName);
    const file = await open(`${path}.part`, "w", 0o600);
    try {
      await file.writeFile(`${hash("sha256", body)}\n${body}`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.part`, path);
    await syncDirectory(this.path);
    await rm(join(this.path, progressName), { force: true });
    await this.#removeOthers(new Set(manifest.files.map(({ name }) => name)));
  }

  async #removeOthers(names: ReadonlySet<string>): Promise<void> {
    const root = join(this.path, filesName);
    for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      if (!names.has(relative(root, path))) await rm(path, { force: true });
    }
  }
}

/** Why a copied file is not what was copied; undefined: it is. */
export async function faultOf(path: string, file: BackedUpFile): Promise<string | undefined> {
  try {
    const { size } = await stat(path);
    if (size !== file.bytes) return `it has ${size} bytes and not ${file.bytes}`;
    const sum = createHash("sha256");
    for await (const chunk of createReadStream(path)) sum.update(chunk as Buffer);
    return sum.digest("hex") === file.sha256 ? undefined : "its checksum differs";
  } catch (thrown) {
    return messageOf(thrown);
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
