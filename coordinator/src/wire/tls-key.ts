/** TLS 1.3 with a pre-shared key (RFC 8446, 4.2.11): whoever is at the other end has it, or does not come through the handshake. */
export interface TlsKey {
  /** 32 random bytes. */
  readonly psk: Uint8Array;
}

/**
 * Keys from outside go with SHA-256 suites alone. Beside the key there is a Diffie-Hellman exchange: who learns the key later
 * reads nothing of before.
 */
const keyContext = {
  minVersion: "TLSv1.3",
  ciphers: "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256",
} as const;

const keyName = "logkeep";

/** For Node's `tls.createServer`. */
export function keyServerOptions({ psk }: TlsKey) {
  return { ...keyContext, pskCallback: () => psk };
}

/** For Node's `tls.connect`. */
export function keyClientOptions(key: TlsKey) {
  const psk = Buffer.from(key.psk);
  return {
    ...keyContext,
    pskCallback: () => ({ psk, identity: keyName }),
    // There is no certificate to look at.
    checkServerIdentity: () => undefined,
  };
}
