import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { silentLogger } from '../../../../core/logger.ts';
import { createClock } from '../../../../runtime/clock.ts';
import { blockThread, type StoreHarness } from '../../../contract.ts';
import type { CoordinationStore } from '../../../store.ts';
import { open } from '../index.ts';

/** Clients of one embedded store in a directory of its own. */
export function embeddedHarness(): StoreHarness {
  const clock = createClock();
  const runtime = { clock, random: { next: () => 0.5 }, logger: silentLogger };
  const stores: CoordinationStore[] = [];
  let directory = '';
  let peer: DatabaseSync | undefined;
  const file = (): string => join(directory, 'store.db');
  return {
    clock,
    ttlMs: 1_000,
    start: async () => {
      directory = await mkdtemp(join(tmpdir(), 'holdfast-embedded-'));
    },
    stop: async () => {
      await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
      await rm(directory, { recursive: true });
    },
    open: async () => {
      const store = await open(file(), runtime);
      stores.push(store);
      return store;
    },
    stall: blockThread,
    // A peer that is stopped inside a transaction.
    pause: async () => {
      peer = new DatabaseSync(file(), { timeout: 5_000 });
      peer.exec('begin immediate');
    },
    resume: async () => {
      peer?.exec('rollback');
      peer?.close();
    },
    compact: async () => {
      using other = new DatabaseSync(file(), { timeout: 5_000 });
      other.exec('begin immediate; delete from change; update store set compacted = revision; commit');
    },
  };
}
