import { lstatSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSystemCalls, type SystemCalls } from './system.ts';

const isRoot = process.geteuid?.() === 0;
const directory = mkdtempSync(join(tmpdir(), 'holdfast-calls-'));
let calls: SystemCalls | undefined;

beforeAll(async () => {
  calls = await openSystemCalls();
});
afterAll(async () => {
  await calls?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

/** Where perl is absent, CI fails; elsewhere what needs it is left out. */
function system(context: { skip(note: string): never }): SystemCalls {
  if (calls === undefined && process.env['HOLDFAST_REQUIRE'] !== 'all') context.skip('perl is not installed');
  expect(calls).toBeDefined();
  return calls!;
}

describe('system calls', () => {
  test('attributes hold any bytes, and none', async (context) => {
    const path = join(directory, 'a\tb');
    writeFileSync(path, '');
    const one = { name: 'user.bytes', value: Uint8Array.from([0, 10, 255]) };
    const none = { name: 'user.none', value: new Uint8Array() };
    for (const attribute of [one, none]) expect(await system(context).writeAttribute(path, attribute)).toEqual({ errno: 0 });
    const [list] = await system(context).readAttributes([path]);
    expect(list?.value?.map(({ name, value }) => [name, [...value]]).toSorted()).toEqual([
      ['user.bytes', [0, 10, 255]],
      ['user.none', []],
    ]);
    await system(context).removeAttribute(path, 'user.none');
    expect((await system(context).readAttributes([path]))[0]?.value).toHaveLength(1);
  });

  test('answers come in order, errors among them', async (context) => {
    const paths = Array.from({ length: 5000 }, (_, index) => join(directory, index % 2 === 0 ? 'absent' : '.'));
    const outcomes = await system(context).readAttributes(paths);
    expect(outcomes.map(({ errno }) => errno)).toEqual(paths.map((_, index) => (index % 2 === 0 ? 2 : 0)));
  });

  test.each([
    ['now', 1_795_417_387_123_456_789n],
    ['before 1970', -1n],
    ['long ago', -1_234_567_890_000_000_001n],
  ])('times to the nanosecond, %s', async (_, ns) => {
    if (calls === undefined) return;
    const path = join(directory, 'times');
    writeFileSync(path, '');
    expect(await calls.setTimes(path, { accessedNs: ns + 1n, modifiedNs: ns })).toEqual({ errno: 0 });
    const stats = lstatSync(path, { bigint: true });
    expect([stats.atimeNs, stats.mtimeNs]).toEqual([ns + 1n, ns]);
  });

  test('links are not followed', async (context) => {
    const [file, link] = [join(directory, 'file'), join(directory, 'link')];
    writeFileSync(file, '');
    symlinkSync(file, link);
    const before = lstatSync(file, { bigint: true }).mtimeNs;
    await system(context).setTimes(link, { accessedNs: 5n, modifiedNs: 5n });
    expect(lstatSync(link, { bigint: true }).mtimeNs).toBe(5n);
    expect(lstatSync(file, { bigint: true }).mtimeNs).toBe(before);
  });

  test('FIFOs and devices', async (context) => {
    const [fifo, device] = [join(directory, 'fifo'), join(directory, 'device')];
    expect(await system(context).makeNode(fifo, 0o010600, 0n)).toEqual({ errno: 0 });
    expect(lstatSync(fifo).isFIFO()).toBe(true);
    if (!isRoot) return;
    expect(await system(context).makeNode(device, 0o020600, 0x103n)).toEqual({ errno: 0 });
    expect(lstatSync(device).rdev).toBe(0x103);
  });

  test('names of accounts', async (context) => {
    expect(await system(context).userName(0)).toBe('root');
    expect(await system(context).groupName(0)).toBe('root');
    expect(await system(context).userName(4_000_000_000)).toBeUndefined();
  });

  test('a file system is synchronised', async (context) => expect(await system(context).syncFileSystem(directory)).toEqual({ errno: 0 }));
});

test('when the process dies, calls fail', async () => {
  const dying = await openSystemCalls();
  if (dying === undefined) return;
  await dying[Symbol.asyncDispose]();
  await expect(dying.readAttributes(['/'])).rejects.toMatchObject({ code: 'BACKUP_SYSTEM_CALLS' });
});
