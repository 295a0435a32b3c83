import { createHash, randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { Clock } from '../../core/clock.ts';
import { createClock } from '../../runtime/clock.ts';
import { MemoryLocation, type MemoryObjects } from '../adapters/memory/index.ts';
import type { Location, ObjectInfo } from '../location.ts';

/** A real place to test, with as many independent clients as a test wants. */
export interface LocationHarness {
  /** The clock that the clients run on. */
  readonly clock: Clock;
  /** Starts the store, empty. Once, before all tests. */
  start?(): Promise<void>;
  /** Ends the store and removes all that it left. */
  stop?(): Promise<void>;
  /** A new client of the same place, with connections of its own. The test disposes of it. */
  open(): Promise<Location>;
  /** Of the largest object that is tried. Default: 64 MiB. */
  readonly bigBytes?: number;
  /** Objects in the longest list that is tried: more than a page of any store has (S3: 1000). Default: 1100. */
  readonly manyKeys?: number;
}

/** Several clients of one store in this process. */
export function memoryHarness(): LocationHarness {
  const clock = createClock();
  const objects: MemoryObjects = new Map();
  return { clock, open: async () => new MemoryLocation('memory', { clock }, objects) };
}

/** For calls that nobody ends. */
export const signal: AbortSignal = new AbortController().signal;

/** A key that no other test uses: all run on the same store. */
export function freshKey(): string {
  return `contract/${randomBytes(8).toString('hex')}`;
}

/** Bytes that do not compress, and differ from all others. */
export function noise(sizeBytes: number): Uint8Array {
  return new Uint8Array(randomBytes(sizeBytes));
}

export function text(content: string): Uint8Array[] {
  return [new TextEncoder().encode(content)];
}

export async function read(location: Location, key: string): Promise<string> {
  return new TextDecoder().decode(await location.get(key, { signal }));
}

/** Compares without printing megabytes when it fails. */
export function expectSame(found: Uint8Array, put: Uint8Array, what = 'what was read is what was put'): void {
  expect({ sizeBytes: found.byteLength, sha256: digest(found) }, what).toEqual({ sizeBytes: put.byteLength, sha256: digest(put) });
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export async function collect(objects: AsyncIterable<ObjectInfo>): Promise<ObjectInfo[]> {
  return await Array.fromAsync(objects);
}

/** Keys below a prefix, sorted. */
export async function keysOf(location: Location, prefix: string): Promise<string[]> {
  return (await collect(location.list(prefix, { signal }))).map(({ key }) => key).toSorted();
}

/** What became of each, in order: `done`, or the code of the error. Anything that is no HoldfastError is thrown. */
export async function outcomes(calls: readonly Promise<unknown>[]): Promise<string[]> {
  const results = await Promise.allSettled(calls);
  return results.map((result) => {
    if (result.status === 'fulfilled') return 'done';
    const { code } = result.reason as { code?: unknown };
    if (typeof code !== 'string') throw result.reason;
    return code;
  });
}

/** Runs `act` for all, so many at once. */
export async function eachOf<T>(items: readonly T[], atOnce: number, act: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const item of rest) await act(item);
    }),
  );
}
