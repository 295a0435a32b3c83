import { expect, test } from 'vitest';
import { createMirror } from './mirror/mirror.ts';
import { createParity } from './parity/parity.ts';
import { scrub } from './scrub.ts';
import type { ScrubProgress } from './scrub-report.ts';
import { clientsOf, packOf, signal, ToyPart, toys } from './testing/kit.ts';

const packs = Array.from({ length: 5 }, (_, n) => packOf(1_000, n + 1)).toSorted((a, b) => (a.key < b.key ? -1 : 1));
const [first, second, third] = packs.map(({ key }) => key) as [string, string, string];
const code = { data: 2, parity: 1 };

test('finds what is damaged, missing, outdated or not listed in a mirror, and heals it', async () => {
  const { parts, runtime } = toys(2);
  await using mirror = createMirror('both', parts, runtime);
  for (const { key, bytes } of packs) await mirror.put(key, [bytes], { signal });
  parts[0]!.rot(first, 7);
  parts[1]!.objects.delete(second);
  parts[1]!.unlisted.add(third);
  const report = await scrub(mirror, runtime, { signal });
  expect(report.findings.map(({ key, location, problem, healed }) => ({ key, location, problem, healed }))).toEqual([
    { key: first, location: 'part-0', problem: 'damaged', healed: true },
    { key: second, location: 'part-1', problem: 'missing', healed: true },
    { key: third, location: 'part-1', problem: 'list-lies', healed: false },
  ]);
  expect(report).toMatchObject({ objects: 5, objectsAll: 5, healed: 2, open: 1, counts: { damaged: 1, missing: 1, 'list-lies': 1 } });
  parts[1]!.unlisted.clear();
  expect((await scrub(mirror, runtime, { signal })).findings).toEqual([]);
  for (const { objects } of parts) for (const { key, bytes } of packs) expect(objects.get(key)!.bytes).toEqual(bytes);
  for (const { notes } of parts) expect(notes).toEqual([]);
});

test('removes what waits beside objects once nothing tells of it and its writer is long gone', async () => {
  const { parts, runtime, clock } = toys(3);
  await using vault = createParity('vault', parts, code, runtime);
  await vault.put(first, [Buffer.from('content')], { signal });
  const staged = (agoMs: number): string =>
    `.holdfast/vault/staged/${'ab'.repeat(32)}/${(clock.wallMs() - agoMs).toString(16).padStart(12, '0')}${'0'.repeat(20)}`;
  const [stray, young] = [staged(3_600_000), staged(1_000)];
  for (const key of [stray, young]) await parts[1]!.put(key, [Buffer.from('shard')], { signal });
  await scrub(vault, runtime, { signal, heal: false });
  expect(parts[1]!.notes.toSorted()).toEqual([stray, young].toSorted());
  const { findings } = await scrub(vault, runtime, { signal });
  expect([findings, parts.flatMap(({ notes }) => notes)]).toEqual([[], [young]]);
});

test('without healing it changes nothing', async () => {
  const { parts, runtime } = toys(2);
  await using mirror = createMirror('both', parts, runtime);
  for (const { key, bytes } of packs) await mirror.put(key, [bytes], { signal });
  parts[0]!.rot(first, 7);
  for (const part of parts) part.calls = [];
  const report = await scrub(mirror, runtime, { signal, heal: false });
  expect(report.findings).toMatchObject([{ key: first, problem: 'damaged', healed: false }]);
  expect(parts.flatMap(({ calls }) => calls).filter((call) => /^(?:put|remove)/.test(call))).toEqual([]);
});

test('heals parity up to its number of losses, and says what is beyond', async () => {
  const { parts, runtime } = toys(3);
  await using vault = createParity('vault', parts, code, runtime);
  for (const { key, bytes } of packs) await vault.put(key, [bytes], { signal });
  const before = parts.map(({ objects }) => new Map([...objects].map(([key, { bytes }]) => [key, bytes])));
  parts[2]!.rot(first, 100);
  parts[0]!.objects.delete(second);
  parts[0]!.rot(third, 100);
  parts[1]!.rot(third, 100);
  const report = await scrub(vault, runtime, { signal });
  expect(
    report.findings.map(
      ({ key, location, problem, healed }) => `${key === first ? 1 : key === second ? 2 : 3} ${location} ${problem} ${healed}`,
    ),
  ).toEqual(['1 part-2 damaged true', '2 part-0 missing true', '3 part-0 damaged false', '3 part-1 damaged false', '3 vault lost false']);
  // What was made anew is byte for byte what was lost.
  for (const [n, { objects }] of parts.entries())
    for (const key of [first, second]) expect(Buffer.compare(objects.get(key)!.bytes, before[n]!.get(key)!)).toBe(0);
});

test('what is too little to be an object stays until it is old and somebody says so', async () => {
  const { parts, runtime, time } = toys(3);
  await using vault = createParity('vault', parts, code, runtime);
  await vault.put(first, [packs[0]!.bytes], { signal });
  parts[0]!.objects.delete(first);
  parts[1]!.objects.delete(first);
  expect((await scrub(vault, runtime, { signal, removeRemnants: true })).findings).toMatchObject([{ problem: 'remnant', healed: false }]);
  await time.advance(700_000);
  expect((await scrub(vault, runtime, { signal })).findings).toMatchObject([{ problem: 'remnant', healed: false }]);
  expect(parts[2]!.objects.has(first)).toBe(true);
  expect((await scrub(vault, runtime, { signal, removeRemnants: true })).findings).toMatchObject([{ problem: 'remnant', healed: true }]);
  expect(parts[2]!.objects.has(first)).toBe(false);
});

test('settles copies that nothing verifies by their number, and leaves a tie alone', async () => {
  const three = toys(3);
  await using mirror = createMirror('all', three.parts, three.runtime);
  await mirror.put('config', [packs[0]!.bytes], { signal });
  three.parts[0]!.rot('config', 3);
  expect((await scrub(mirror, three.runtime, { signal })).findings).toMatchObject([
    { location: 'part-0', problem: 'outdated', healed: true },
  ]);
  const two = toys(2);
  await using both = createMirror('both', two.parts, two.runtime);
  await both.put('config', [packs[0]!.bytes], { signal });
  two.parts[0]!.rot('config', 3);
  expect((await scrub(both, two.runtime, { signal })).findings).toMatchObject([{ location: 'both', problem: 'conflict', healed: false }]);
  expect(two.parts[1]!.objects.get('config')!.bytes).toEqual(packs[0]!.bytes);
});

test('keeps to its rate, tells where it is, and goes on from there', async () => {
  const all = toys(2);
  const { parts, runtime, time } = all;
  await using mirror = createMirror('both', parts, runtime);
  for (const { key, bytes } of packs) await mirror.put(key, [bytes], { signal });
  const stop = new AbortController();
  const seen: ScrubProgress[] = [];
  const from = time.nowMs;
  const ended = scrub(mirror, runtime, {
    signal: stop.signal,
    rateBytes: 1_000,
    onProgress: (progress) => {
      seen.push(progress);
      if (progress.objects === 2) stop.abort(new Error('enough'));
    },
  }).catch((error: unknown) => error);
  await time.advance(30_000);
  expect(await ended).toMatchObject({ message: 'enough' });
  expect(seen.map(({ position, objects, objectsAll }) => [position, objects, objectsAll])).toEqual([
    [first, 1, 5],
    [second, 2, 5],
  ]);
  const begunMs = time.nowMs;
  expect(begunMs - from).toBe(30_000);
  let doneMs = Infinity;
  const rest = scrub(mirror, runtime, { signal, rateBytes: 1_000, after: seen[1]!.position }).then((report) => {
    doneMs = time.nowMs;
    return report;
  });
  await time.advance(30_000);
  expect(await rest).toMatchObject({ objects: 3, bytes: 6_000, position: packs[4]!.key });
  // Six seconds' worth, of which the first begins at once and a second may have been saved up.
  expect(doneMs - begunMs).toBeGreaterThanOrEqual(4_000);
});

test('a read that was disturbed once is no damage', async () => {
  const { parts, runtime } = toys(2);
  class Flaky extends ToyPart {
    disturbed = 0;
    override async get(...args: Parameters<ToyPart['get']>): Promise<Uint8Array> {
      const bytes = await super.get(...args);
      this.disturbed += 1;
      if (this.disturbed === 1) bytes[0]! ^= 1;
      return bytes;
    }
  }
  const flaky = new Flaky('part-0', runtime.clock as ConstructorParameters<typeof ToyPart>[1]);
  await using mirror = createMirror('both', [flaky, parts[1]!], runtime);
  await mirror.put(first, [packs[0]!.bytes], { signal });
  flaky.calls = [];
  expect((await scrub(mirror, runtime, { signal })).findings).toEqual([]);
  expect(flaky.calls.filter((call) => call.startsWith('put'))).toEqual([]);
});

test('finds damage in a plain location, by the keys of a repository or as told', async () => {
  const all = toys(1);
  const [part] = all.parts;
  for (const { key, bytes } of packs) await part!.put(key, [bytes], { signal });
  await part!.put('other', [packs[0]!.bytes], { signal });
  part!.rot(first, 7);
  const report = await scrub(part!, all.runtime, { signal });
  expect(report.findings).toMatchObject([{ key: first, location: 'part-0', problem: 'damaged', healed: false }]);
  expect(report).toMatchObject({ objects: 6, unverified: 1, open: 1 });
  const strict = await scrub(clientsOf(all)[0]!, all.runtime, { signal, verify: (key) => key !== 'other' });
  expect(strict.findings.map(({ key }) => key)).toEqual(['other']);
});
