import { expect, test } from 'vitest';
import { journalWorld } from '../../backup/testing/journal-world.ts';
import { Gate } from '../../failover/gate.ts';
import type { Member } from '../../failover/member.ts';
import { decideVoice, JournalVoice } from './journal-voice.ts';

const well = { counts: true, stuckMs: 0, steadyMs: 60_000 };

test('commits wait without end, unless a limit is set', () => {
  expect(decideVoice({ ...well, stuckMs: 1e12, steadyMs: 0 }, undefined)).toBe(true);
  expect(decideVoice({ ...well, stuckMs: 29_999, steadyMs: 0 }, 30_000)).toBe(true);
  expect(decideVoice({ ...well, stuckMs: 30_000, steadyMs: 0 }, 30_000)).toBe(false);
});

test('a journal that was left out is waited for again only when it keeps up', () => {
  expect(decideVoice({ counts: false, stuckMs: 0, steadyMs: 4_999 }, 30_000)).toBe(false);
  expect(decideVoice({ counts: false, stuckMs: 0, steadyMs: 5_000 }, 30_000)).toBe(true);
});

test('with a location that hangs commits wait, which is told, and go on without it when patience ends; they wait again once it has caught up', async () => {
  const w = await journalWorld(1, { intervalMs: 0, slowMs: 120_000 });
  const counted: boolean[] = [];
  const told: string[] = [];
  const countJournal = async (counts: boolean): Promise<bigint> => {
    counted.push(counts);
    return 0n;
  };
  const member = {
    servingTerm: 1,
    engineState: { role: 'primary' },
    gate: new Gate(),
    deps: { engine: { countJournal } },
  } as unknown as Member;
  const { journal, stop } = w.start();
  const settings = { intervalMs: 0, sync: true, patienceMs: 30_000 };
  const parts = { record: (what: string) => void told.push(what), runtime: w.runtime };
  const voice = new JournalVoice(member, parts, settings, () => journal.status());
  const end = new AbortController();
  const running = voice.run(end.signal);
  const text = (): string => voice.alarms.map((alarm) => alarm.text).join();
  await w.time.advance(3_000);
  const confirmed = w.wal.confirmed;
  w.fail({ slow: 1 });
  w.wal.write(5_000);
  await w.time.advance(4_000);
  expect(text()).toBe('');
  await w.time.advance(4_000);
  expect(text()).toMatch(/^Commits wait for the journal, which has not been kept for \ds/);
  expect(counted).toEqual([]);
  await w.time.advance(24_000);
  expect(counted).toEqual([false]);
  expect(text()).toMatch(/^Commits do not wait for the journal/);
  expect(w.wal.confirmed).toBe(confirmed);
  w.fail({});
  await w.time.advance(120_000);
  expect(w.wal.confirmed).toBe(w.wal.lsn);
  expect(counted).toEqual([false, true]);
  expect(told).toEqual(['backup.journal.left-out', 'backup.journal.waited-for']);
  expect(text()).toBe('');
  end.abort();
  await Promise.all([running, stop()]);
});
