import { encodeMessage, readFields, signed } from './protobuf.ts';

/**
 * The messages of the etcd v3 API that Holdfast needs, with the field numbers of etcd's api/etcdserverpb/rpc.proto and api/mvccpb/kv.proto.
 * Unknown fields in answers are ignored, so that newer servers are understood.
 */
export interface Header {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** Revision of the key space when it was answered. */
  readonly revision: bigint;
  readonly raftTerm: bigint;
}

export interface KeyValue {
  readonly key: string;
  readonly value: string;
  readonly createRevision: bigint;
  readonly modRevision: bigint;
  /** 0 for none. */
  readonly lease: bigint;
}

/** Keys from `key` to below `rangeEnd`; only `key` without it. */
export interface KeyRange {
  readonly key: string;
  readonly rangeEnd?: string;
}

export interface RangeRequest extends KeyRange {
  readonly limit?: number;
  /** Read as of this revision. */
  readonly revision?: bigint;
}

export interface RangeReply {
  readonly header: Header;
  readonly entries: readonly KeyValue[];
  /** More keys were in the range than `limit`. */
  readonly more: boolean;
}

/** How to call one method: the path, and both directions of its messages. */
export interface Rpc<Request, Reply> {
  readonly path: string;
  /** A member without a leader may answer too. */
  readonly leaderless?: true;
  encode(request: Request): Buffer;
  decode(reply: Buffer): Reply;
}

const noHeader: Header = { clusterId: 0n, memberId: 0n, revision: 0n, raftTerm: 0n };

/** Of an empty message: all zero. */
export function decodeHeader(message: Buffer): Header {
  const header = { clusterId: 0n, memberId: 0n, revision: 0n, raftTerm: 0n };
  for (const { number, int } of readFields(message)) {
    if (number === 1) header.clusterId = int;
    else if (number === 2) header.memberId = int;
    else if (number === 3) header.revision = signed(int);
    else if (number === 4) header.raftTerm = int;
  }
  return header;
}

/** Of an answer of which nothing but the header (field 1 in all of them) matters. */
function decodeHeaderOnly(message: Buffer): { header: Header } {
  for (const { number, bytes } of readFields(message)) if (number === 1) return { header: decodeHeader(bytes) };
  return { header: noHeader };
}

function decodeKeyValue(message: Buffer): KeyValue {
  const entry = { key: '', value: '', createRevision: 0n, modRevision: 0n, lease: 0n };
  for (const { number, int, bytes } of readFields(message)) {
    if (number === 1) entry.key = bytes.toString();
    else if (number === 2) entry.createRevision = signed(int);
    else if (number === 3) entry.modRevision = signed(int);
    else if (number === 5) entry.value = bytes.toString();
    else if (number === 6) entry.lease = signed(int);
  }
  return entry;
}

function encodeRange(request: RangeRequest): Buffer {
  return encodeMessage({ 1: request.key, 2: request.rangeEnd, 3: request.limit, 4: request.revision });
}

function decodeRange(message: Buffer): RangeReply {
  let header = noHeader;
  let more = false;
  const entries: KeyValue[] = [];
  for (const { number, int, bytes } of readFields(message)) {
    if (number === 1) header = decodeHeader(bytes);
    else if (number === 2) entries.push(decodeKeyValue(bytes));
    else if (number === 3) more = int !== 0n;
  }
  return { header, entries, more };
}

const compareResult = { '=': 0, '!=': 3 } as const;

/** Revision of the key's creation; 0 when there is no such key. */
export function compareCreated(key: string, operator: keyof typeof compareResult, revision: bigint): Buffer {
  return encodeMessage({ 1: compareResult[operator], 2: 1, 3: key, 5: revision });
}

/** Revision of the key's last change; 0 when there is no such key. */
export function compareModified(key: string, operator: keyof typeof compareResult, revision: bigint): Buffer {
  return encodeMessage({ 1: compareResult[operator], 2: 2, 3: key, 6: revision });
}

export function requestGet(key: string): Buffer {
  return encodeMessage({ 1: encodeRange({ key }) });
}

/** All of a range, if it has no more than `limit` keys. */
export function requestRange(range: KeyRange, limit: number): Buffer {
  return encodeMessage({ 1: encodeRange({ ...range, limit }) });
}

export function requestPut(key: string, value: string, lease: bigint): Buffer {
  return encodeMessage({ 2: encodeMessage({ 1: key, 2: value, 3: lease }) });
}

export function requestDelete(key: string): Buffer {
  return encodeMessage({ 3: encodeMessage({ 1: key }) });
}

export interface TxnRequest {
  /** Made by `compareCreated`, `compareModified`; all must hold. */
  readonly compare: readonly Buffer[];
  /** Made by `requestGet`, `requestRange`, `requestPut`, `requestDelete`; done in this order. */
  readonly success: readonly Buffer[];
  readonly failure?: readonly Buffer[];
}

export interface TxnReply {
  readonly header: Header;
  readonly succeeded: boolean;
  /** For each request of the branch taken. */
  readonly results: readonly TxnResult[];
}

/** What a get (`found`) or a range (`entries`, and whether there were more than its limit) found, or how many keys were deleted. */
export interface TxnResult {
  readonly found: KeyValue | undefined;
  readonly entries: readonly KeyValue[];
  readonly more: boolean;
  readonly deleted: bigint;
}

const nothingFound: TxnResult = { found: undefined, entries: [], more: false, deleted: 0n };

function decodeTxn(message: Buffer): TxnReply {
  let header = noHeader;
  let succeeded = false;
  const results: TxnResult[] = [];
  for (const { number, int, bytes } of readFields(message)) {
    if (number === 1) header = decodeHeader(bytes);
    else if (number === 2) succeeded = int !== 0n;
    else if (number === 3) results.push(decodeTxnResult(bytes));
  }
  return { header, succeeded, results };
}

function decodeTxnResult(message: Buffer): TxnResult {
  for (const { number, bytes } of readFields(message)) {
    if (number === 1) {
      const { entries, more } = decodeRange(bytes);
      return { ...nothingFound, found: entries[0], entries, more };
    }
    if (number === 3) return { ...nothingFound, deleted: decodeDeleteRange(bytes).deleted };
  }
  return nothingFound;
}

function decodeDeleteRange(message: Buffer): { header: Header; deleted: bigint } {
  let header = noHeader;
  let deleted = 0n;
  for (const { number, int, bytes } of readFields(message)) {
    if (number === 1) header = decodeHeader(bytes);
    else if (number === 2) deleted = signed(int);
  }
  return { header, deleted };
}

export interface LeaseReply {
  readonly header: Header;
  readonly id: bigint;
  /** Seconds, as granted; 0 for the renewal of a lease that is gone. */
  readonly ttlS: bigint;
}

/** LeaseGrantResponse and LeaseKeepAliveResponse agree in these. */
export function decodeLease(message: Buffer): LeaseReply {
  const reply = { header: noHeader, id: 0n, ttlS: 0n };
  for (const { number, int, bytes } of readFields(message)) {
    if (number === 1) reply.header = decodeHeader(bytes);
    else if (number === 2) reply.id = signed(int);
    else if (number === 3) reply.ttlS = signed(int);
  }
  return reply;
}

export function encodeKeepAlive(leaseId: bigint): Buffer {
  return encodeMessage({ 1: leaseId });
}

export interface WatchRequest extends KeyRange {
  /** First revision whose changes are wanted. */
  readonly fromRevision: bigint;
  /** Leave out puts. */
  readonly deletesOnly?: boolean;
}

/** The creation of a watcher: with progress notifications, so that a quiet one can resume, and large answers in fragments. */
export function encodeWatch(request: WatchRequest): Buffer {
  // Filter 0 is NOPUT. A packed repeated field, since a lone zero would be left out.
  const filters = request.deletesOnly === true ? Buffer.from([0]) : undefined;
  return encodeMessage({
    1: encodeMessage({ 1: request.key, 2: request.rangeEnd, 3: request.fromRevision, 4: true, 5: filters, 8: true }),
  });
}

export interface WatchChange {
  readonly type: 'put' | 'delete';
  /** Of a deletion only key and modRevision (that of the deletion). */
  readonly entry: KeyValue;
}

export interface WatchReply {
  readonly header: Header;
  readonly created: boolean;
  readonly canceled: boolean;
  /** Least revision that can still be watched, when what was asked is compacted; else 0. */
  readonly compactRevision: bigint;
  readonly cancelReason: string;
  /** More changes of the same answer follow. */
  readonly fragment: boolean;
  readonly changes: readonly WatchChange[];
}

export function decodeWatch(message: Buffer): WatchReply {
  const changes: WatchChange[] = [];
  const reply = { header: noHeader, created: false, canceled: false, compactRevision: 0n, cancelReason: '', fragment: false, changes };
  for (const { number, int, bytes } of readFields(message)) {
    if (number === 1) reply.header = decodeHeader(bytes);
    else if (number === 3) reply.created = int !== 0n;
    else if (number === 4) reply.canceled = int !== 0n;
    else if (number === 5) reply.compactRevision = signed(int);
    else if (number === 6) reply.cancelReason = bytes.toString();
    else if (number === 7) reply.fragment = int !== 0n;
    else if (number === 11) changes.push(decodeChange(bytes));
  }
  return reply;
}

function decodeChange(message: Buffer): WatchChange {
  let type: WatchChange['type'] = 'put';
  let entry = decodeKeyValue(Buffer.alloc(0));
  for (const { number, int, bytes } of readFields(message)) {
    if (number === 1) type = int === 1n ? 'delete' : 'put';
    else if (number === 2) entry = decodeKeyValue(bytes);
  }
  return { type, entry };
}

function decodeToken(message: Buffer): { header: Header; token: string } {
  let header = noHeader;
  let token = '';
  for (const { number, bytes } of readFields(message)) {
    if (number === 1) header = decodeHeader(bytes);
    else if (number === 2) token = bytes.toString();
  }
  return { header, token };
}

export const rpc = {
  range: { path: '/etcdserverpb.KV/Range', encode: encodeRange, decode: decodeRange } satisfies Rpc<RangeRequest, RangeReply>,
  deleteRange: {
    path: '/etcdserverpb.KV/DeleteRange',
    encode: (range: KeyRange) => encodeMessage({ 1: range.key, 2: range.rangeEnd }),
    decode: decodeDeleteRange,
  },
  txn: {
    path: '/etcdserverpb.KV/Txn',
    encode: (txn: TxnRequest) => encodeMessage({ 1: txn.compare, 2: txn.success, 3: txn.failure }),
    decode: decodeTxn,
  },
  leaseGrant: {
    path: '/etcdserverpb.Lease/LeaseGrant',
    encode: (request: { ttlS: bigint }) => encodeMessage({ 1: request.ttlS }),
    decode: decodeLease,
  },
  leaseRevoke: {
    path: '/etcdserverpb.Lease/LeaseRevoke',
    encode: (request: { id: bigint }) => encodeMessage({ 1: request.id }),
    decode: decodeHeaderOnly,
  },
  authenticate: {
    path: '/etcdserverpb.Auth/Authenticate',
    encode: (request: { name: string; password: string }) => encodeMessage({ 1: request.name, 2: request.password }),
    decode: decodeToken,
  },
} as const;

/** Paths of the methods whose both directions are streams. */
export const streamPath = { keepAlive: '/etcdserverpb.Lease/LeaseKeepAlive', watch: '/etcdserverpb.Watch/Watch' } as const;
