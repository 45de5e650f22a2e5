/** The release of Apache ZooKeeper whose protocol and answers this is; clients compare it. */
export const protocolVersion = "3.9.5";

/** As four-letter words and their parsers want it: version, a dash, a build, and its date. */
export const versionText = `${protocolVersion}-logkeep, built on 2026-11-21 00:00 UTC`;
