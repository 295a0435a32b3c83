import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CallFailure } from './failure.ts';
import { maintenance } from './maintenance.ts';
import {
  compareCreated,
  compareModified,
  decodeLease,
  decodeWatch,
  encodeKeepAlive,
  encodeWatch,
  requestDelete,
  requestGet,
  requestPut,
  rpc,
} from './messages.ts';
import { encodeMessage, readFields } from './protobuf.ts';

// Another implementation of protobuf to compare with: the one that @grpc/grpc-js brings.
interface Codec {
  encode(message: object): { finish(): Uint8Array };
  decode(bytes: Uint8Array): object;
  toObject(message: object, options: { defaults: boolean; longs: StringConstructor; bytes: StringConstructor }): object;
}
interface Protobufjs {
  parse(proto: string, options: { keepCase: boolean }): { root: { lookupType(name: string): Codec } };
}
const requireFromGrpc = createRequire(createRequire(import.meta.url).resolve('@grpc/grpc-js'));
const protobufjs = requireFromGrpc('protobufjs') as Protobufjs;

/** The messages as etcd's rpc.proto and kv.proto describe them, as far as they are used; written down here independently of the code under test. */
const { root } = protobufjs.parse(
  `syntax = "proto3";
  message ResponseHeader { uint64 cluster_id = 1; uint64 member_id = 2; int64 revision = 3; uint64 raft_term = 4; }
  message KeyValue { bytes key = 1; int64 create_revision = 2; int64 mod_revision = 3; int64 version = 4; bytes value = 5; int64 lease = 6; }
  message RangeRequest { bytes key = 1; bytes range_end = 2; int64 limit = 3; int64 revision = 4; }
  message RangeResponse { ResponseHeader header = 1; repeated KeyValue kvs = 2; bool more = 3; int64 count = 4; }
  message PutRequest { bytes key = 1; bytes value = 2; int64 lease = 3; }
  message PutResponse { ResponseHeader header = 1; KeyValue prev_kv = 2; }
  message DeleteRangeRequest { bytes key = 1; bytes range_end = 2; }
  message DeleteRangeResponse { ResponseHeader header = 1; int64 deleted = 2; repeated KeyValue prev_kvs = 3; }
  message RequestOp { oneof request { RangeRequest request_range = 1; PutRequest request_put = 2; DeleteRangeRequest request_delete_range = 3; } }
  message ResponseOp { oneof response { RangeResponse response_range = 1; PutResponse response_put = 2; DeleteRangeResponse response_delete_range = 3; } }
  message Compare {
    enum CompareResult { EQUAL = 0; GREATER = 1; LESS = 2; NOT_EQUAL = 3; }
    enum CompareTarget { VERSION = 0; CREATE = 1; MOD = 2; VALUE = 3; LEASE = 4; }
    CompareResult result = 1; CompareTarget target = 2; bytes key = 3;
    oneof target_union { int64 version = 4; int64 create_revision = 5; int64 mod_revision = 6; bytes value = 7; int64 lease = 8; }
  }
  message TxnRequest { repeated Compare compare = 1; repeated RequestOp success = 2; repeated RequestOp failure = 3; }
  message TxnResponse { ResponseHeader header = 1; bool succeeded = 2; repeated ResponseOp responses = 3; }
  message LeaseGrantRequest { int64 TTL = 1; int64 ID = 2; }
  message LeaseGrantResponse { ResponseHeader header = 1; int64 ID = 2; int64 TTL = 3; string error = 4; }
  message LeaseRevokeRequest { int64 ID = 1; }
  message LeaseKeepAliveRequest { int64 ID = 1; }
  message WatchCreateRequest {
    enum FilterType { NOPUT = 0; NODELETE = 1; }
    bytes key = 1; bytes range_end = 2; int64 start_revision = 3; bool progress_notify = 4; repeated FilterType filters = 5; bool prev_kv = 6; int64 watch_id = 7; bool fragment = 8;
  }
  message WatchRequest { oneof request_union { WatchCreateRequest create_request = 1; } }
  message Event { enum EventType { PUT = 0; DELETE = 1; } EventType type = 1; KeyValue kv = 2; KeyValue prev_kv = 3; }
  message WatchResponse {
    ResponseHeader header = 1; int64 watch_id = 2; bool created = 3; bool canceled = 4; int64 compact_revision = 5; string cancel_reason = 6; bool fragment = 7; repeated Event events = 11;
  }
  message AuthenticateRequest { string name = 1; string password = 2; }
  message AuthenticateResponse { ResponseHeader header = 1; string token = 2; }
  message StatusResponse {
    ResponseHeader header = 1; string version = 2; int64 dbSize = 3; uint64 leader = 4; uint64 raftIndex = 5; uint64 raftTerm = 6;
    uint64 raftAppliedIndex = 7; repeated string errors = 8; int64 dbSizeInUse = 9; bool isLearner = 10;
  }
  message Member { uint64 ID = 1; string name = 2; repeated string peerURLs = 3; repeated string clientURLs = 4; bool isLearner = 5; }
  message MemberListResponse { ResponseHeader header = 1; repeated Member members = 2; }`,
  { keepCase: true },
);

/** What the other implementation makes of these bytes; then written again by it, byte for byte. */
function theirs(type: string, message: object): Buffer {
  return Buffer.from(root.lookupType(type).encode(message).finish());
}

function asLong(value: bigint): unknown {
  // protobufjs takes 64-bit numbers as { low, high, unsigned }.
  const bits = BigInt.asUintN(64, value);
  return { low: Number(bits & 0xffff_ffffn) | 0, high: Number(bits >> 32n) | 0, unsigned: value >= 1n << 63n };
}

const int64 = fc.oneof(fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }), fc.bigInt({ min: 0n, max: 300n }));
const uint64 = fc.oneof(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.bigInt({ min: 0n, max: 300n }));
const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const header = fc.record({ clusterId: uint64, memberId: uint64, revision: int64, raftTerm: uint64 });
const keyValue = fc.record({ key: text, value: text, createRevision: int64, modRevision: int64, lease: int64 });

type Header = typeof header extends fc.Arbitrary<infer T> ? T : never;
type KeyValue = typeof keyValue extends fc.Arbitrary<infer T> ? T : never;

const theirHeader = (h: Header): object => ({
  cluster_id: asLong(h.clusterId),
  member_id: asLong(h.memberId),
  revision: asLong(h.revision),
  raft_term: asLong(h.raftTerm),
});
const theirKeyValue = (kv: KeyValue): object => ({
  key: Buffer.from(kv.key),
  value: Buffer.from(kv.value),
  create_revision: asLong(kv.createRevision),
  mod_revision: asLong(kv.modRevision),
  version: 7,
  lease: asLong(kv.lease),
});

describe('requests are what another implementation writes', () => {
  /** proto3 lets a writer leave defaults out or not, so both are read by the other implementation and compared. */
  function expectSame(type: string, ours: Buffer, message: object): void {
    const codec = root.lookupType(type);
    const read = (bytes: Buffer): object => codec.toObject(codec.decode(bytes), { defaults: true, longs: String, bytes: String });
    expect(read(ours)).toEqual(read(theirs(type, message)));
  }

  it('Range', () => {
    fc.assert(
      fc.property(text, text, fc.nat(), int64, (key, rangeEnd, limit, revision) => {
        const message = { key: Buffer.from(key), range_end: Buffer.from(rangeEnd), limit, revision: asLong(revision) };
        expectSame('RangeRequest', rpc.range.encode({ key, rangeEnd, limit, revision }), message);
      }),
    );
  });

  it('Txn, with all of its parts', () => {
    fc.assert(
      fc.property(text, text, int64, int64, (key, value, revision, lease) => {
        const ours = rpc.txn.encode({
          compare: [compareCreated(key, '=', revision), compareModified(key, '!=', revision), compareCreated(key, '!=', 0n)],
          success: [requestPut(key, value, lease), requestDelete(key)],
          failure: [requestGet(key)],
        });
        const bytes = Buffer.from(key);
        expectSame('TxnRequest', ours, {
          compare: [
            { result: 0, target: 1, key: bytes, create_revision: asLong(revision) },
            { result: 3, target: 2, key: bytes, mod_revision: asLong(revision) },
            { result: 3, target: 1, key: bytes },
          ].map((compare) => (revision === 0n ? { result: compare.result, target: compare.target, key: bytes } : compare)),
          success: [
            { request_put: { key: bytes, value: Buffer.from(value), lease: asLong(lease) } },
            { request_delete_range: { key: bytes } },
          ],
          failure: [{ request_range: { key: bytes } }],
        });
      }),
    );
  });

  it('leases, deletions, authentication', () => {
    fc.assert(
      fc.property(text, text, int64, (a, b, number) => {
        expectSame('LeaseGrantRequest', rpc.leaseGrant.encode({ ttlS: number }), { TTL: asLong(number) });
        expectSame('LeaseRevokeRequest', rpc.leaseRevoke.encode({ id: number }), { ID: asLong(number) });
        expectSame('LeaseKeepAliveRequest', encodeKeepAlive(number), { ID: asLong(number) });
        expectSame('DeleteRangeRequest', rpc.deleteRange.encode({ key: a, rangeEnd: b }), {
          key: Buffer.from(a),
          range_end: Buffer.from(b),
        });
        expectSame('AuthenticateRequest', rpc.authenticate.encode({ name: a, password: b }), { name: a, password: b });
      }),
    );
  });

  it('Watch', () => {
    fc.assert(
      fc.property(text, text, int64, fc.boolean(), (key, rangeEnd, fromRevision, deletesOnly) => {
        const create = {
          key: Buffer.from(key),
          range_end: Buffer.from(rangeEnd),
          start_revision: asLong(fromRevision),
          progress_notify: true,
          fragment: true,
        };
        const message = { create_request: { ...create, filters: deletesOnly ? [0] : [] } };
        expectSame('WatchRequest', encodeWatch({ key, rangeEnd, fromRevision, deletesOnly }), message);
      }),
    );
  });

  it('a hand-made example, byte for byte', () => {
    // key "a", limit 300, revision -1: tags 0x0a, 0x18, 0x20 and their values as the encoding guide has them.
    const bytes = rpc.range.encode({ key: 'a', limit: 300, revision: -1n });
    expect(bytes.toString('hex')).toBe(['0a0161', '18ac02', '20ffffffffffffffffff01'].join(''));
    expect(bytes).toEqual(theirs('RangeRequest', { key: Buffer.from('a'), limit: 300, revision: asLong(-1n) }));
  });
});

describe('answers that another implementation wrote are read as meant', () => {
  it('Range', () => {
    fc.assert(
      fc.property(header, fc.array(keyValue, { maxLength: 5 }), fc.boolean(), (h, entries, more) => {
        const bytes = theirs('RangeResponse', { header: theirHeader(h), kvs: entries.map(theirKeyValue), more, count: 9 });
        expect(rpc.range.decode(bytes)).toEqual({ header: h, entries, more });
      }),
    );
  });

  it('Txn', () => {
    const nothing = { found: undefined, entries: [], more: false, deleted: 0n };
    fc.assert(
      fc.property(header, keyValue, keyValue, fc.boolean(), fc.nat(), (h, entry, other, succeeded, deleted) => {
        const responses = [
          { response_range: { header: {}, kvs: [theirKeyValue(entry)], count: 1 } },
          { response_range: { header: {}, kvs: [theirKeyValue(entry), theirKeyValue(other)], more: true, count: 3 } },
          { response_range: { header: {} } },
          { response_put: { header: {} } },
          { response_delete_range: { header: {}, deleted } },
        ];
        expect(rpc.txn.decode(theirs('TxnResponse', { header: theirHeader(h), succeeded, responses }))).toEqual({
          header: h,
          succeeded,
          results: [
            { ...nothing, found: entry, entries: [entry] },
            { ...nothing, found: entry, entries: [entry, other], more: true },
            nothing,
            nothing,
            { ...nothing, deleted: BigInt(deleted) },
          ],
        });
      }),
    );
  });

  it('leases, deletions, tokens', () => {
    fc.assert(
      fc.property(header, int64, int64, text, (h, id, ttlS, token) => {
        const head = theirHeader(h);
        expect(decodeLease(theirs('LeaseGrantResponse', { header: head, ID: asLong(id), TTL: asLong(ttlS), error: 'x' }))).toEqual({
          header: h,
          id,
          ttlS,
        });
        expect(rpc.deleteRange.decode(theirs('DeleteRangeResponse', { header: head, deleted: asLong(id) }))).toEqual({
          header: h,
          deleted: id,
        });
        expect(rpc.authenticate.decode(theirs('AuthenticateResponse', { header: head, token }))).toEqual({ header: h, token });
      }),
    );
  });

  it('Watch', () => {
    fc.assert(
      fc.property(
        header,
        fc.array(fc.tuple(fc.boolean(), keyValue), { maxLength: 5 }),
        int64,
        text,
        fc.boolean(),
        (h, events, compactRevision, cancelReason, flag) => {
          const bytes = theirs('WatchResponse', {
            header: theirHeader(h),
            watch_id: 3,
            created: flag,
            canceled: !flag,
            compact_revision: asLong(compactRevision),
            cancel_reason: cancelReason,
            fragment: flag,
            events: events.map(([put, entry]) => ({ type: put ? 0 : 1, kv: theirKeyValue(entry) })),
          });
          const changes = events.map(([put, entry]) => ({ type: put ? 'put' : 'delete', entry }));
          expect(decodeWatch(bytes)).toEqual({
            header: h,
            created: flag,
            canceled: !flag,
            compactRevision,
            cancelReason,
            fragment: flag,
            changes,
          });
        },
      ),
    );
  });

  it('Status and MemberList', () => {
    fc.assert(
      fc.property(header, text, uint64, fc.array(text, { maxLength: 3 }), fc.boolean(), (h, version, leader, errors, isLearner) => {
        const status = { header: theirHeader(h), version, dbSize: 5, leader: asLong(leader), raftIndex: 6, errors, isLearner };
        expect(maintenance.status.decode(theirs('StatusResponse', status))).toEqual({ header: h, version, leader, errors, isLearner });
        const members = [{ ID: asLong(leader), name: version, peerURLs: errors, clientURLs: errors, isLearner }];
        expect(maintenance.memberList.decode(theirs('MemberListResponse', { header: theirHeader(h), members })).members).toEqual([
          { id: leader, name: version, clientUrls: errors },
        ]);
      }),
    );
  });
});

describe('nonsense', () => {
  const decoders = {
    range: rpc.range.decode,
    txn: rpc.txn.decode,
    lease: decodeLease,
    watch: decodeWatch,
    token: rpc.authenticate.decode,
    status: maintenance.status.decode,
  };

  it.each(Object.entries(decoders))('never makes the reader of %s do anything but answer or say so', (_, decode) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decode(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(CallFailure);
          expect((error as CallFailure).kind).toBe('nonsense');
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('is seen in an answer that was cut anywhere within a field', () => {
    const whole = theirs('RangeResponse', { header: { cluster_id: 1 }, kvs: [{ key: Buffer.from('key'), value: Buffer.from('value') }] });
    const readable = Array.from({ length: whole.length }, (_, length) => {
      try {
        return [...readFields(whole.subarray(0, length))].length;
      } catch {
        return 'cut';
      }
    });
    // Only the borders between fields are no cut.
    expect(readable.filter((fields) => fields !== 'cut')).toEqual([0, 1]);
  });

  it.each([
    ['a group', '0b'],
    ['an endless number', 'ff'.repeat(11)],
    ['a length beyond the end', '0aff7f61'],
    ['a length of 2^64 - 1', '0affffffffffffffffff01'],
    ['an unfinished number', '1880'],
  ])('such as %s is refused', (_, hex) => {
    expect(() => rpc.range.decode(Buffer.from(hex, 'hex'))).toThrow(CallFailure);
  });

  it('of newer servers, unknown fields of every kind, is skipped', () => {
    const known = encodeMessage({ 3: true });
    const unknown = Buffer.from(['a106', '0102030405060708', 'a506', '01020304', 'a206', '0161', 'a006', '05'].join(''), 'hex');
    expect(rpc.range.decode(Buffer.concat([unknown, known, unknown])).more).toBe(true);
  });
});
