/** Whether this is an address, or an address, a slash and the number of leading bits that count. */
export function isIpPattern(pattern: string): boolean {
  return patternOf(pattern) !== undefined;
}

/** Whether an address lies in the pattern. IPv4 in IPv6 clothing (`::ffff:1.2.3.4`) counts as IPv4. */
export function matchesIp(pattern: string, address: string): boolean {
  const wanted = patternOf(pattern);
  const own = ipBytes(address);
  if (wanted === undefined || own === undefined || own.length !== wanted.bytes.length) return false;
  for (let bit = 0; bit < wanted.bits; bit++) {
    const shift = 7 - (bit & 7);
    if (((own[bit >> 3]! ^ wanted.bytes[bit >> 3]!) >> shift) & 1) return false;
  }
  return true;
}

function patternOf(
  pattern: string,
): { readonly bytes: readonly number[]; readonly bits: number } | undefined {
  const [address, bitsText, ...rest] = pattern.split("/");
  const bytes = ipBytes(address ?? "");
  if (bytes === undefined || rest.length > 0) return undefined;
  if (bitsText === undefined) return { bytes, bits: bytes.length * 8 };
  if (!/^\d{1,3}$/.test(bitsText) || Number(bitsText) > bytes.length * 8) return undefined;
  return { bytes, bits: Number(bitsText) };
}

function ipBytes(address: string): readonly number[] | undefined {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  const text = mapped?.[1] ?? address;
  return text.includes(":") ? ip6Bytes(text) : ip4Bytes(text);
}

function ip4Bytes(text: string): readonly number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part))) return undefined;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

function ip6Bytes(text: string): readonly number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0]!);
  const tail = halves.length === 2 ? groupsOf(halves[1]!) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  return groups.flatMap((group) => [group >> 8, group & 0xff]);
}

function groupsOf(text: string): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  if (!parts.every((part) => /^[0-9a-f]{1,4}$/i.test(part))) return undefined;
  return parts.map((part) => Number.parseInt(part, 16));
}
