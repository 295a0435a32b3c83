import { expect, test } from 'vitest';
import { seededRandom } from '../../../sim/index.ts';
import { unreachable } from '../../failures.ts';
import { clientsOf, packOf, signal, toys, type Toys } from '../testing/kit.ts';
import { createParity } from './parity.ts';

const code = { data: 2, parity: 1 };

const text = (value: string): Uint8Array => Buffer.from(value);

/** A process that died when it had put a new object beside the old one of `state`, and written it over that in these parts alone. */
async function dieReplacing(kit: Toys, value: string, overwritten: readonly number[], aheadMs = 0): Promise<void> {
  const clients = clientsOf(kit).map((client, number) => {
    const put = client.put.bind(client);
    return Object.assign(client, {
      put: (key: string, data: readonly Uint8Array[], options: Parameters<typeof put>[2]) =>
        key !== 'state' || options.ifAbsent === true || overwritten.includes(number)
          ? put(key, data, options)
          : Promise.reject(unreachable(client.name, 'its writer is dead')),
    });
  });
  const clock = kit.time.clock({ wallStartMs: kit.clock.wallMs() + aheadMs });
  await using vault = createParity('vault', clients, code, { ...kit.runtime, clock });
  await expect(vault.put('state', [text(value)], { signal })).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
}
const { key, bytes } = packOf(400_001);

test('reads from the data shards alone, and of a part only the blocks that hold it', async () => {
  const { parts, runtime } = toys(3);
  await using vault = createParity('vault', parts, code, runtime);
  await vault.put(key, [bytes], { signal });
  for (const part of parts) part.calls = [];
  expect(await vault.get(key, { signal })).toEqual(bytes);
  expect(parts.map(({ calls }) => calls)).toEqual([[`get ${key} all`], [`get ${key} all`], []]);

  await vault.get(key, { signal, range: { offset: 0, sizeBytes: 1 } });
  for (const part of parts) part.calls = [];
  const range = { offset: 70_000, sizeBytes: 5_000 };
  expect(Buffer.compare(await vault.get(key, { signal, range }), bytes.subarray(70_000, 75_000))).toBe(0);
  expect(parts.map(({ calls }) => calls)).toEqual([[`get ${key} 65540`], [], []]);

  // The same blocks of the others rebuild it.
  parts[0]!.away = true;
  for (const part of parts) part.calls = [];
  expect(Buffer.compare(await vault.get(key, { signal, range }), bytes.subarray(70_000, 75_000))).toBe(0);
  expect(parts.slice(1).map(({ calls }) => calls)).toEqual([[`get ${key} 65540`], [`get ${key} 65540`]]);
});

// Safety: any range is what was written, whichever part is away or rotten. Method: random ranges, each part in turn.
test('any part of an object can be read with one part away or rotten', async () => {
  const { parts, runtime } = toys(6);
  await using vault = createParity('vault', parts, { data: 4, parity: 2 }, runtime);
  await vault.put(key, [bytes], { signal });
  const random = seededRandom(7);
  for (let round = 0; round < 60; round += 1) {
    const [first, second] = [random.pick(parts), random.pick(parts)];
    first.away = true;
    const { objects } = second;
    const before = objects.get(key)!;
    second.rot(key, random.integer(before.bytes.length));
    const offset = random.integer(bytes.length);
    const sizeBytes = 1 + random.integer(Math.min(bytes.length - offset, random.chance(0.5) ? 50 : 400_000));
    const found = await vault.get(key, { signal, range: { offset, sizeBytes } });
    expect(Buffer.compare(found, bytes.subarray(offset, offset + sizeBytes))).toBe(0);
    first.away = false;
    objects.set(key, before);
  }
  await expect(vault.get(key, { signal, range: { offset: 400_000, sizeBytes: 2 } })).rejects.toMatchObject({ code: 'STORAGE_DAMAGED' });
});

test('a list tells sizes without reading', async () => {
  const { parts, runtime } = toys(3);
  await using vault = createParity('vault', parts, code, runtime);
  await vault.put('a', [bytes], { signal });
  await vault.put('b', [], { signal });
  parts[1]!.away = true;
  for (const part of parts) part.calls = [];
  expect((await Array.fromAsync(vault.list('', { signal }))).map(({ key: name, sizeBytes }) => [name, sizeBytes])).toEqual([
    ['a', 400_001],
    ['b', 0],
  ]);
  expect(parts[0]!.calls).toEqual(['list ']);
});

test('m parts may be lost for good: what replaces them is filled again', async () => {
  const { parts, runtime, time } = toys(6);
  await using vault = createParity('vault', parts, { data: 4, parity: 2 }, runtime);
  await vault.put(key, [bytes], { signal });
  parts[0]!.objects.clear();
  parts[3]!.objects.clear();
  const shards = parts.map(({ objects }) => objects.get(key)?.bytes);
  expect(await vault.get(key, { signal })).toEqual(bytes);
  await time.advance(10_000);
  expect(parts[0]!.objects.get(key)!.bytes.length).toBe(shards[1]!.length - (shards[2]!.length - shards[1]!.length));
  parts[1]!.objects.clear();
  parts[2]!.objects.clear();
  expect(await vault.get(key, { signal })).toEqual(bytes);
});

test('says what is missing: damaged, not there, or not to be told', async () => {
  const { parts, runtime } = toys(3);
  await using vault = createParity('vault', parts, code, runtime);
  await vault.put(key, [bytes], { signal });
  parts[0]!.rot(key, 100);
  parts[1]!.rot(key, 100);
  await expect(vault.get(key, { signal })).rejects.toMatchObject({ code: 'STORAGE_DAMAGED' });
  parts[0]!.away = true;
  await expect(vault.get(key, { signal })).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
  await expect(vault.get('nothing', { signal })).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
  parts[1]!.away = true;
  await expect(vault.get('nothing', { signal })).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
  await expect(Array.fromAsync(vault.list('', { signal }))).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
  expect(vault.status().state).toBe('away');
});

test('shards of another code are refused, not overwritten', async () => {
  const all = toys(4);
  const three = all.parts.slice(0, 3);
  {
    await using vault = createParity('vault', three, code, all.runtime);
    await vault.put(key, [bytes], { signal });
  }
  const before = three.map(({ objects }) => objects.get(key)!.bytes);
  await using vault = createParity('vault', clientsOf(all), { data: 3, parity: 1 }, all.runtime);
  await expect(vault.get(key, { signal })).rejects.toThrow('2 + 1, not of 3 + 1');
  await vault.catchUp({ signal });
  expect(three.map(({ objects }) => objects.get(key)!.bytes)).toEqual(before);
});

test('parts may change their order', async () => {
  const all = toys(3);
  {
    await using vault = createParity('vault', all.parts, code, all.runtime);
    await vault.put(key, [bytes], { signal });
  }
  const [a, b, c] = clientsOf(all);
  await using vault = createParity('vault', [c!, a!, b!], code, all.runtime);
  expect(await vault.get(key, { signal })).toEqual(bytes);
  expect((await vault.get(key, { signal, range: { offset: 250_000, sizeBytes: 10 } })).length).toBe(10);
  expect((await Array.fromAsync(vault.list('', { signal })))[0]).toMatchObject({ key, sizeBytes: 400_001 });
});

test('a failed creation may be tried again by the same process, and is nobody else’s for a while', async () => {
  const all = toys(3);
  await using vault = createParity('vault', all.parts, code, all.runtime);
  all.parts[1]!.away = true;
  all.parts[2]!.away = true;
  await expect(vault.put(key, [bytes], { signal, ifAbsent: true })).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
  const others = clientsOf(all);
  await using other = createParity('vault', others, code, all.runtime);
  await expect(other.put(key, [bytes], { signal, ifAbsent: true })).rejects.toMatchObject({ code: 'STORAGE_EXISTS' });
  all.parts[1]!.away = false;
  all.parts[2]!.away = false;
  await vault.put(key, [bytes], { signal, ifAbsent: true });
  expect(await other.get(key, { signal })).toEqual(bytes);
});

test('how many must have a write follows from the code', () => {
  const writeMin = (data: number, parity: number): number => {
    const { parts, runtime } = toys(data + parity);
    return createParity('vault', parts, { data, parity }, runtime).inside.ensemble.writeMin;
  };
  expect([writeMin(2, 1), writeMin(4, 2), writeMin(10, 4), writeMin(2, 2), writeMin(1, 1)]).toEqual([2, 5, 11, 3, 2]);
  const { parts, runtime } = toys(3);
  expect(() => createParity('vault', parts, { data: 2, parity: 2 }, runtime)).toThrow(RangeError);
  expect(() => createParity('vault', parts, code, runtime, { writeMin: 1 })).toThrow('2 to 3');
});

test('what lies in three versions in three parts is not gone: the last one is whole beside them', async () => {
  const kit = toys(3);
  await using vault = createParity('vault', kit.parts, code, kit.runtime);
  await vault.put('state', [text('first')], { signal });
  await dieReplacing(kit, 'second', [0]);
  await dieReplacing(kit, 'third', [1]);
  await using reader = createParity('vault', clientsOf(kit), code, kit.runtime);
  expect(Buffer.from(await reader.get('state', { signal })).toString()).toBe('third');
});

test('what a dead writer with a fast clock left beside an object does not take the place of a later one', async () => {
  const kit = toys(3);
  await using vault = createParity('vault', kit.parts, code, kit.runtime);
  await vault.put('state', [text('first')], { signal });
  await dieReplacing(kit, 'never acknowledged', [], 60_000);
  await vault.put('state', [text('last')], { signal });
  await vault.catchUp({ signal });
  await using reader = createParity('vault', clientsOf(kit), code, kit.runtime);
  expect(Buffer.from(await reader.get('state', { signal })).toString()).toBe('last');
});
