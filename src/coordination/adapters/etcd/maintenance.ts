import { decodeHeader, type Header, type Rpc } from './messages.ts';
import { encodeMessage, readFields } from './protobuf.ts';

/** What a member says of itself: StatusResponse. */
export interface Status {
  readonly header: Header;
  /** For example `3.4.23`. */
  readonly version: string;
  /** Id of the leader it follows; 0 for none. */
  readonly leader: bigint;
  /** What it complains of, for example `etcdserver: no leader`, `alarm:NOSPACE`. */
  readonly errors: readonly string[];
  /** It does not vote yet. */
  readonly isLearner: boolean;
}

export interface Member {
  readonly id: bigint;
  readonly name: string;
  /** Empty when it never started. */
  readonly clientUrls: readonly string[];
}

export const maintenance = {
  status: { path: '/etcdserverpb.Maintenance/Status', leaderless: true, encode: () => Buffer.alloc(0), decode: decodeStatus } satisfies Rpc<
    undefined,
    Status
  >,
  memberList: { path: '/etcdserverpb.Cluster/MemberList', encode: () => encodeMessage({ 1: true }), decode: decodeMembers } satisfies Rpc<
    undefined,
    { header: Header; members: readonly Member[] }
  >,
} as const;

function decodeStatus(message: Buffer): Status {
  const errors: string[] = [];
  const status = { header: decodeHeader(Buffer.alloc(0)), version: '', leader: 0n, errors, isLearner: false };
  for (const { number, int, bytes } of readFields(message)) {
    if (number === 1) status.header = decodeHeader(bytes);
    else if (number === 2) status.version = bytes.toString();
    else if (number === 4) status.leader = int;
    else if (number === 8) errors.push(bytes.toString());
    else if (number === 10) status.isLearner = int !== 0n;
  }
  return status;
}

function decodeMembers(message: Buffer): { header: Header; members: readonly Member[] } {
  let header = decodeHeader(Buffer.alloc(0));
  const members: Member[] = [];
  for (const { number, bytes } of readFields(message)) {
    if (number === 1) header = decodeHeader(bytes);
    else if (number === 2) members.push(decodeMember(bytes));
  }
  return { header, members };
}

function decodeMember(message: Buffer): Member {
  const clientUrls: string[] = [];
  const member = { id: 0n, name: '', clientUrls };
  for (const { number, int, bytes } of readFields(message)) {
    if (number === 1) member.id = int;
    else if (number === 2) member.name = bytes.toString();
    else if (number === 4) clientUrls.push(bytes.toString());
  }
  return member;
}
