// Goal: with own certificates only nodes that the cluster's authority has signed get a link, and renewed ones count without a restart.
// Method: real listeners on loopback that take each other for other machines.
import assert from "node:assert/strict";
import test from "node:test";
import type { Peers } from "../src/peers/peers.ts";
import type { CertificateSource, PeerCertificates } from "../src/peers/wire-tls.ts";
import { until } from "./given.ts";
import { ca, expired, one, otherCa, stranger, two } from "./peers-certificates-given.ts";
import { linked, PeersRig } from "./peers-rig.ts";

/** Certificates that a test renews. */
class Certificates implements CertificateSource {
  #current: PeerCertificates;
  readonly #listeners = new Set<() => void>();

  constructor(current: PeerCertificates) {
    this.#current = current;
  }

  current(): PeerCertificates {
    return this.#current;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  renew(current: PeerCertificates): void {
    this.#current = current;
    for (const listener of this.#listeners) listener();
  }
}

function openWith(rig: PeersRig, node: number, certificates: CertificateSource): Promise<Peers> {
  return rig.open(node, { certificates, remoteAlways: true });
}

/** Why nodes were turned away or not reached. */
function reasons(rig: PeersRig): string[] {
  return rig.warnings.map((fields) => String((fields as { reason?: unknown }).reason));
}

test("two nodes of one authority have a link, whatever names their certificates have", async () => {
  const rig = new PeersRig();
  try {
    const first = await openWith(rig, 1, new Certificates({ ca, ...one }));
    const second = await openWith(rig, 2, new Certificates({ ca, ...two }));
    second.handle("echo", async (_, asked) => asked);
    rig.announce(first, second);
    await linked(first, second);
    const { head } = await first.call(2, "echo", { head: 7, bytes: [] }, { timeoutMs: 30_000 });
    assert.equal(head, 7);
  } finally {
    await rig.close();
  }
});

const refused: readonly { readonly what: string; readonly second: PeerCertificates | undefined }[] =
  [
    { what: "a certificate of another authority", second: { ca, ...stranger } },
    { what: "another authority alone", second: { ca: otherCa, ...stranger } },
    { what: "an expired certificate", second: { ca, ...expired } },
    { what: "the secret and no certificate", second: undefined },
  ];

for (const { what, second: given } of refused) {
  test(`a node with ${what} gets no link to one with a certificate, in either direction`, async () => {
    const rig = new PeersRig();
    try {
      const first = await openWith(rig, 1, new Certificates({ ca, ...one }));
      const second =
        given === undefined
          ? await rig.open(2, { remoteAlways: true })
          : await openWith(rig, 2, new Certificates(given));
      rig.announce(first, second);
      // Each dials and fails: the one that is dialled says so as well.
      await until(() => reasons(rig).length >= 3);
      assert.deepEqual([first.link(2), second.link(1)], [undefined, undefined]);
      assert.match(reasons(rig).join("; "), /certificate|alert|handshake|disconnected/i);
    } finally {
      await rig.close();
    }
  });
}

test("a renewed certificate counts at once for new connections, on both sides, and leaves links as they are", async () => {
  const rig = new PeersRig();
  try {
    const certificates = new Certificates({ ca, ...expired });
    const first = await openWith(rig, 1, certificates);
    const second = await openWith(rig, 2, new Certificates({ ca, ...two }));
    rig.announce(first, second);
    await until(() => reasons(rig).length >= 3);
    assert.deepEqual([first.link(2), second.link(1)], [undefined, undefined]);
    certificates.renew({ ca, ...one });
    await linked(first, second);
    const { id } = first.link(2) as { id: number };
    certificates.renew({ ca, ...expired });
    second.handle("echo", async (_, asked) => asked);
    await first.call(2, "echo", { head: 1, bytes: [] }, { timeoutMs: 30_000 });
    assert.equal(first.link(2)?.id, id);
  } finally {
    await rig.close();
  }
});
