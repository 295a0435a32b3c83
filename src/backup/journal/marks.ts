import { HoldfastError } from '../../core/errors.ts';
import { formatLsn, parseLsn } from '../../core/lsn.ts';
import { divergence, type TimelineHistory } from '../../core/timeline.ts';
import { compress, decompress } from '../crypto/compression.ts';
import { seal, unseal } from '../crypto/seal.ts';
import { damaged as damagedIn } from '../documents/damaged.ts';
import type { OpenedRepository } from '../open/opened-repository.ts';
import type { WalPosition } from './coverage.ts';
import { marksPrefixes, parseJournalKey, seenKey, stepKey } from './journal-key.ts';
import type { WalOwner } from './stored-wal.ts';

/*
 * What the journal says of time, in two kinds of small objects beside its parts, sealed as these are. Inside is one zstd frame of JSON:
 *   seen    {"version":1,"service":…,"systemId":…,"timeline":1,"lsn":"0/3000148","timeMs":…}
 *   clock   {"version":1,"service":…,"systemId":…,"timeline":1,"lsn":"0/3000148","fromMs":…,"toMs":…}
 * There is one `seen` for each timeline, written over every few seconds; a `clock` for each time that the server's clock went back.
 */

const version = 1;
const markBytesMax = 4 * 1024;

/** By the server's clock at `timeMs`, everything that it had flushed lay before `position`, and was stored. */
export interface Seen {
  readonly position: WalPosition;
  readonly timeMs: number;
}

/** At or after `position` the server's clock went back, from `fromMs` at the most: times from `toMs` to `fromMs` name two points. */
export interface ClockStep {
  readonly position: WalPosition;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Where the marks of one database lie. */
export interface MarksPlace extends WalOwner {
  readonly repository: OpenedRepository;
}

interface Within {
  readonly signal: AbortSignal;
}

/** All that a journal has said of time. */
export class JournalMarks {
  readonly #seen: readonly Seen[];
  readonly #steps: readonly ClockStep[];

  constructor(seen: readonly Seen[], steps: readonly ClockStep[]) {
    this.#seen = seen;
    this.#steps = steps;
  }

  /** Until when a journal saw that nothing was written after `end`; undefined when it has not looked since. */
  seenAt(end: WalPosition): number | undefined {
    return this.#seen.find(({ position }) => position.timeline === end.timeline && position.lsn === end.lsn)?.timeMs;
  }

  /** The last thing that was said on the way to where `history` leads. */
  lastSeen(history: TimelineHistory): Seen | undefined {
    let last: Seen | undefined;
    for (const one of this.#seen) {
      if (divergence(one.position, history) !== undefined) continue;
      if (last === undefined || one.position.lsn > last.position.lsn) last = one;
    }
    return last;
  }

  /** A step of the clock on the way from an LSN on, by which a time has two meanings. */
  stepOver(timeMs: number, history: TimelineHistory, fromLsn: bigint): ClockStep | undefined {
    return this.#steps.find(
      ({ position, fromMs, toMs }) =>
        toMs <= timeMs && timeMs <= fromMs && position.lsn >= fromLsn && divergence(position, history) === undefined,
    );
  }
}

/** @throws BACKUP_DAMAGED, BACKUP_UNSUPPORTED, STORAGE_… */
export async function readMarks(place: MarksPlace, { signal }: Within): Promise<JournalMarks> {
  const seen: Seen[] = [];
  const steps: ClockStep[] = [];
  const { location } = place.repository;
  for (const prefix of marksPrefixes(place.service, place.systemId)) {
    for await (const { key, sizeBytes } of location.list(prefix, { signal })) {
      const found = parseJournalKey(place.service, key);
      if (found?.kind !== 'seen' && found?.kind !== 'clock') continue;
      if (sizeBytes > markBytesMax) throw damaged(key, `it has ${sizeBytes} bytes`);
      const document = decode(await location.get(key, { signal }), key, place);
      const position = { timeline: document.number('timeline'), lsn: parseLsn(document.text('lsn')) };
      if (position.timeline !== found.timeline) throw damaged(key, 'it is of another timeline than its name says');
      if (found.kind === 'seen') seen.push({ position, timeMs: document.number('timeMs') });
      else steps.push({ position, fromMs: document.number('fromMs'), toMs: document.number('toMs') });
    }
  }
  return new JournalMarks(seen, steps);
}

/** In place of what was said before of that timeline. */
export async function writeSeen(place: MarksPlace, { position, timeMs }: Seen, within: Within): Promise<void> {
  await put(place, seenKey(place.service, place.systemId, position.timeline), position, { timeMs: Math.round(timeMs) }, within);
}

export async function writeStep(place: MarksPlace, { position, fromMs, toMs }: ClockStep, within: Within): Promise<void> {
  const key = stepKey(place.service, place.systemId, position, Math.round(toMs));
  await put(place, key, position, { fromMs: Math.ceil(fromMs), toMs: Math.floor(toMs) }, within);
}

async function put(
  { repository, service, systemId }: MarksPlace,
  at: string,
  { timeline, lsn }: WalPosition,
  said: Readonly<Record<string, number>>,
  { signal }: Within,
): Promise<void> {
  const document = { version, service, systemId, timeline, lsn: formatLsn(lsn), ...said };
  const plain = Buffer.from(JSON.stringify(document), 'utf8');
  await repository.location.put(at, [seal(repository.parts.files.key, compress(plain))], { signal });
}

interface Document {
  number(field: string): number;
  text(field: string): string;
}

function decode(sealed: Uint8Array, key: string, place: MarksPlace): Document {
  const packed = unseal(place.repository.parts.files.key, sealed);
  if (packed === undefined) throw damaged(key, 'it was not written with the key of this repository, or has been changed');
  const document = JSON.parse(Buffer.from(decompress(packed, markBytesMax)).toString('utf8')) as Record<string, unknown>;
  if (document['version'] !== version) {
    throw new HoldfastError(
      'BACKUP_UNSUPPORTED',
      `the journal's mark '${key}' has version ${String(document['version'])}, known is ${version}`,
      {
        hint: 'A newer Holdfast wrote it: use that one.',
      },
    );
  }
  if (document['service'] !== place.service || document['systemId'] !== place.systemId) throw damaged(key, 'it is of another database');
  const field = (name: string): unknown => {
    if (document[name] === undefined) throw damaged(key, `it has no ${name}`);
    return document[name];
  };
  return { number: (name) => Number(field(name)), text: (name) => String(field(name)) };
}

function damaged(key: string, why: string): HoldfastError {
  return damagedIn(`the journal's mark '${key}'`, `is damaged: ${why}`);
}
