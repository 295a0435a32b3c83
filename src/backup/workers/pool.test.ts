import { randomBytes } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import { randomSealingKey } from '../crypto/seal.ts';
import { sha256 } from '../documents/ids.ts';
import { jobs } from './jobs.ts';
import { WorkerPool } from './pool.ts';

const key = randomSealingKey();
const large = 3 * 1024 * 1024;

function bytes(size: number, seed: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(size).map((_, index) => (index * seed) ^ (index >> 7));
}

describe('the pool of threads', () => {
  test('Safety: every job gets its own bytes back, whichever thread does it. Method: jobs of all sizes at once, through hash, seal and open', async () => {
    await using pool = new WorkerPool(key, { size: 2 });
    const sizes = [0, 1, 100, 4096, 4097, 70_000, 1_000_000, large];
    const rounds = Array.from({ length: 40 }, async (_, round) => {
      const data = bytes(sizes[round % sizes.length]!, round + 1);
      const kept = data.slice();
      const hashed = await pool.run('hash', { data });
      expect(hashed.id).toBe(sha256(kept));
      const { stored, blobs } = await pool.run('seal', { type: 'data', id: hashed.id, data: hashed.data, compresses: round % 2 === 0 });
      const opened = await pool.run('open', { ...blobs[0]!, stored });
      expect(Buffer.compare(opened.data!, kept)).toBe(0);
    });
    await Promise.all(rounds);
  });

  test('threads that were started ahead wait for the key, and do what there is', async () => {
    await using pool = new WorkerPool(undefined, { size: 2 });
    pool.start();
    pool.unlock(key);
    const sealed = await Promise.all(
      [1, 2, 3].map((seed) => {
        const data = bytes(large, seed);
        return pool.run('seal', { type: 'data', id: sha256(data), data, compresses: true });
      }),
    );
    for (const [index, { stored, blobs }] of sealed.entries()) {
      const { data } = await pool.run('open', { ...blobs[0]!, stored });
      expect(Buffer.compare(data!, bytes(large, index + 1))).toBe(0);
    }
  });

  test('what is handed over is gone for whoever gave it, and nothing is opened that is not what it is said to be', async () => {
    await using pool = new WorkerPool(key, { size: 1 });
    const data = new Uint8Array(randomBytes(large));
    const { data: same, id } = await pool.run('hash', { data });
    expect(data.byteLength).toBe(0);
    const { stored, blobs } = await pool.run('seal', { type: 'data', id, data: same, compresses: true });
    const asked = { plainSizeBytes: large, compressed: false };
    expect(blobs).toEqual([{ ...asked, type: 'data', id, sizeBytes: stored.byteLength }]);
    expect(await pool.run('open', { ...asked, stored: stored.slice(), id: sha256(Buffer.from('other')) })).toEqual({ data: undefined });
    expect(await pool.run('open', { ...asked, stored: stored.slice(1), id })).toEqual({ data: undefined });
    expect((await pool.run('open', { ...asked, stored, id })).data?.byteLength).toBe(large);
  });

  test('expected failures keep their code, in place and from a thread', async () => {
    await using pool = new WorkerPool(key, { size: 1 });
    for (const size of [100, large]) {
      const stored = bytes(size, 3);
      const id = sha256(stored);
      await expect(pool.run('index', { id, stored })).rejects.toMatchObject({
        code: 'BACKUP_DAMAGED',
        message: `index ${id} does not match its checksum`,
      });
    }
  });

  test('a caller that works too does its share, beside one thread fewer', async () => {
    const here = vi.spyOn(jobs, 'seal');
    await using pool = new WorkerPool(key, { size: 2, callerWorks: true });
    const sealed = await Promise.all(
      Array.from({ length: 24 }, (_, seed) => {
        const data = bytes(large, seed + 1);
        return pool.run('seal', { type: 'data', id: sha256(data), data, compresses: true });
      }),
    );
    const share = here.mock.calls.length;
    here.mockRestore();
    expect(share).toBeGreaterThan(0);
    expect(share).toBeLessThan(24);
    for (const [index, { stored, blobs }] of sealed.entries()) {
      const { data } = await pool.run('open', { ...blobs[0]!, stored });
      expect(Buffer.compare(data!, bytes(large, index + 1))).toBe(0);
    }
  });

  test.each([true, false])(
    'a job that fails leaves those before and behind it alone (caller works: %s), and its bytes are gone',
    async (callerWorks) => {
      await using pool = new WorkerPool(key, { size: 2, callerWorks });
      const inputs = Array.from({ length: 12 }, (_, seed) => bytes(large, seed + 1));
      const outcomes = await Promise.allSettled(
        inputs.map((data, number) =>
          number % 3 === 1 ? pool.run('index', { id: sha256(Buffer.from('other')), stored: data }) : pool.run('hash', { data }),
        ),
      );
      for (const [number, outcome] of outcomes.entries()) {
        if (number % 3 === 1) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'BACKUP_DAMAGED' } });
        else expect(outcome).toMatchObject({ value: { id: sha256(bytes(large, number + 1)) } });
      }
      expect(inputs.filter((_, number) => number % 3 === 1).map(({ byteLength }) => byteLength)).toEqual([0, 0, 0, 0]);
    },
  );

  test.each([true, false])('once closed, nothing is left waiting (caller works: %s)', async (callerWorks) => {
    const pool = new WorkerPool(key, { size: 1, callerWorks });
    const waiting = Array.from({ length: 5 }, (_, seed) => pool.run('hash', { data: bytes(large, seed) }));
    const settled = Promise.allSettled(waiting);
    await pool[Symbol.asyncDispose]();
    expect((await settled).filter(({ status }) => status === 'rejected').length).toBeGreaterThan(0);
    await expect(pool.run('hash', { data: bytes(1, 1) })).rejects.toThrow('closed');
  });
});
