import { expect, test } from 'vitest';
import type { WalEvent, WalStream } from '../../../core/wal-source.ts';
import { SeatedStream, seatNodes } from './journal-seats.ts';

/** A stream of which the test says what comes; it fails when it is disposed of, as a connection does. */
class GivenStream implements WalStream {
  confirmed = 0n;
  #next = Promise.withResolvers<WalEvent>();

  give(event: WalEvent): void {
    this.#next.resolve(event);
  }

  fail(message: string): void {
    this.#next.reject(new Error(message));
  }

  async next(): Promise<WalEvent> {
    const event = await this.#next.promise;
    this.#next = Promise.withResolvers();
    return event;
  }

  confirm(lsn: bigint): void {
    this.confirmed = lsn;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#next.promise.catch(() => {});
    this.fail('disposed of');
  }
}

test('all seats confirm what the journal has, and one that is lost ends all', async () => {
  const [main, other, third] = [new GivenStream(), new GivenStream(), new GivenStream()];
  await using stream = new SeatedStream(main, [other, third]);
  other.give({ kind: 'bytes', lsn: 1n, bytes: new Uint8Array(1) });
  main.give({ kind: 'bytes', lsn: 1n, bytes: new Uint8Array(2) });
  expect(await stream.next()).toMatchObject({ bytes: new Uint8Array(2) });
  stream.confirm(7n);
  expect([main.confirmed, other.confirmed, third.confirmed]).toEqual([7n, 7n, 7n]);
  // What happens to a timeline the main stream tells.
  third.give({ kind: 'switch', next: 2, lsn: 9n });
  const next = stream.next();
  other.fail('the seat is lost');
  await expect(next).rejects.toThrow('the seat is lost');
});

test('a journal that commits do not wait for has one connection', () => {
  expect(seatNodes(undefined)).toEqual([]);
  expect(seatNodes({ sync: false, others: 4 })).toHaveLength(1);
  expect(seatNodes({ sync: true, others: 0 })).toHaveLength(1);
  expect(new Set(seatNodes({ sync: true, others: 4 })).size).toBe(4);
});
