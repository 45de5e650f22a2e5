/** What a request asks, by the number in its header. */
export const opCodes = {
  notification: 0,
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getACL: 6,
  setACL: 7,
  getChildren: 8,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  reconfig: 16,
  checkWatches: 17,
  removeWatches: 18,
  createContainer: 19,
  deleteContainer: 20,
  createTTL: 21,
  multiRead: 22,
  auth: 100,
  setWatches: 101,
  sasl: 102,
  getEphemerals: 103,
  getAllChildrenNumber: 104,
  setWatches2: 105,
  addWatch: 106,
  whoAmI: 107,
  error: -1,
  createSession: -10,
  closeSession: -11,
} as const;

export type OpName = keyof typeof opCodes;
export type OpCode = (typeof opCodes)[OpName];

/** xids that the protocol keeps for itself. */
export const xids = { event: -1, ping: -2, auth: -4, setWatches: -8 } as const;

/** Error codes of a reply header. */
export const errorNumbers = {
  OK: 0,
  SYSTEMERROR: -1,
  RUNTIMEINCONSISTENCY: -2,
  DATAINCONSISTENCY: -3,
  CONNECTIONLOSS: -4,
  MARSHALLINGERROR: -5,
  UNIMPLEMENTED: -6,
  OPERATIONTIMEOUT: -7,
  BADARGUMENTS: -8,
  UNKNOWNSESSION: -12,
  NEWCONFIGNOQUORUM: -13,
  RECONFIGINPROGRESS: -14,
  APIERROR: -100,
  NONODE: -101,
  NOAUTH: -102,
  BADVERSION: -103,
  NOCHILDRENFOREPHEMERALS: -108,
  NODEEXISTS: -110,
  NOTEMPTY: -111,
  SESSIONEXPIRED: -112,
  INVALIDCALLBACK: -113,
  INVALIDACL: -114,
  AUTHFAILED: -115,
  SESSIONMOVED: -118,
  NOTREADONLY: -119,
  EPHEMERALONLOCALSESSION: -120,
  NOWATCHER: -121,
  REQUESTTIMEOUT: -122,
  RECONFIGDISABLED: -123,
  SESSIONCLOSEDREQUIRESASLAUTH: -124,
  QUOTAEXCEEDED: -125,
  THROTTLEDOP: -127,
} as const;

export type ErrorName = keyof typeof errorNumbers;
export type ErrorNumber = (typeof errorNumbers)[ErrorName];

const errorNames = new Map<number, ErrorName>(
  (Object.entries(errorNumbers) as [ErrorName, number][]).map(([name, number]) => [number, name]),
);

/** The name of an error number; undefined for one that the protocol does not know. */
export function errorNameOf(number: number): ErrorName | undefined {
  return errorNames.get(number);
}

/** What happened at a watched path. */
export const eventTypes = {
  none: -1,
  created: 1,
  deleted: 2,
  dataChanged: 3,
  childrenChanged: 4,
  dataWatchRemoved: 5,
  childWatchRemoved: 6,
  persistentWatchRemoved: 7,
} as const;

export type EventName = keyof typeof eventTypes;
export type EventType = (typeof eventTypes)[EventName];

/** The state that a watch event carries. */
export const keeperStates = {
  disconnected: 0,
  syncConnected: 3,
  authFailed: 4,
  connectedReadOnly: 5,
  saslAuthenticated: 6,
  closed: 7,
  expired: -112,
} as const;

export type KeeperState = (typeof keeperStates)[keyof typeof keeperStates];

/** Bits of an ACL entry. */
export const perms = { read: 1, write: 2, create: 4, delete: 8, admin: 16, all: 31 } as const;

/** The flags of create: what kind of znode it makes. */
export const createModes = {
  persistent: 0,
  ephemeral: 1,
  persistentSequential: 2,
  ephemeralSequential: 3,
  container: 4,
  persistentWithTtl: 5,
  persistentSequentialWithTtl: 6,
} as const;

export type CreateModeName = keyof typeof createModes;

/** Modes of addWatch. */
export const addWatchModes = { persistent: 0, persistentRecursive: 1 } as const;

/** Types of checkWatches and removeWatches; the first two mean one-shot watches alone. */
export const watcherTypes = {
  children: 1,
  data: 2,
  any: 3,
  persistent: 4,
  persistentRecursive: 5,
} as const;

/** `ephemeralOwner` as stored in a container; a Stat that is sent out shows 0. */
export const containerOwner = -0x8000000000000000n;

/** The longest life of a TTL znode, in ms: its 40 bits of `ephemeralOwner`, all set. */
export const ttlMsMax = 0xff_ffff_ffff;

/** Version -1 in a request means any. */
export const versionAny = -1;
