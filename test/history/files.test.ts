import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkLinearizable } from './check.ts';
import { parseJepsenLog } from './jepsen-log.ts';
import { type Consumer, readJsonLines } from './json-lines.ts';

const judge: Consumer<string> = ({ model, operations }) => checkLinearizable(model, operations).verdict;

function file(model: string, ...events: object[]): string {
  return [{ history: 1, model }, ...events].map((line) => JSON.stringify(line)).join('\n');
}

describe('a history in JSON lines', () => {
  test('of a register: the order of lines is time, an operation that is never answered may have happened', () => {
    const events = [
      { process: 1, type: 'invoke', f: 'write', value: 5 },
      { process: 2, type: 'invoke', f: 'read' },
      { process: 2, type: 'ok', f: 'read', value: 5 },
      { process: 3, type: 'invoke', f: 'cas', value: [5, 6] },
      { process: 3, type: 'ok', f: 'cas' },
    ];
    expect(readJsonLines(file('register', ...events), judge)).toBe('linearizable');
    expect(readJsonLines(file('register', ...events.slice(1)), judge)).toBe('not linearizable');
  });

  test('by time: lines may be in any order', () => {
    const events = [
      { process: 'b', type: 'invoke', f: 'read', time: 30 },
      { process: 'b', type: 'ok', f: 'read', value: 'x', time: 40 },
      { process: 'a', type: 'invoke', f: 'write', value: 'x', time: 10 },
      { process: 'a', type: 'ok', f: 'write', time: 20 },
    ];
    expect(readJsonLines(file('register', ...events), judge)).toBe('linearizable');
  });

  test('what certainly was not done is not counted', () => {
    const events = [
      { process: 'a', type: 'invoke', f: 'write', value: 'x' },
      { process: 'a', type: 'fail', f: 'write' },
      { process: 'b', type: 'invoke', f: 'read' },
      { process: 'b', type: 'ok', f: 'read', value: 'x' },
    ];
    expect(readJsonLines(file('register', ...events), judge)).toBe('not linearizable');
  });

  test('of a key of a store, and of a lock', () => {
    const swapped = [
      { process: 'a', type: 'invoke', f: 'swap', key: 'k', value: { to: 'x', expect: 'absent' } },
      { process: 'a', type: 'ok', f: 'swap', key: 'k', value: '9007199254740993' },
      { process: 'b', type: 'invoke', f: 'get', key: 'k' },
      { process: 'b', type: 'ok', f: 'get', key: 'k', value: { value: 'x', revision: '9007199254740993' } },
      { process: 'b', type: 'invoke', f: 'remove', key: 'k', value: { expect: '9007199254740992' } },
    ];
    const answered = (type: string) => file('store-key', ...swapped, { process: 'b', type, f: 'remove', key: 'k' });
    expect(readJsonLines(answered('fail'), judge)).toBe('linearizable');
    expect(readJsonLines(answered('ok'), judge)).toBe('not linearizable');
    const held = [
      { process: 'a', type: 'invoke', f: 'acquire', key: 'l' },
      { process: 'a', type: 'ok', f: 'acquire', key: 'l', value: '5' },
      { process: 'b', type: 'invoke', f: 'acquire', key: 'l' },
      { process: 'b', type: 'ok', f: 'acquire', key: 'l', value: '6' },
    ];
    expect(readJsonLines(file('lock', ...held), judge)).toBe('linearizable');
    const both = [
      { process: 'a', type: 'invoke', f: 'holds', key: 'l', value: '5' },
      { process: 'a', type: 'ok', f: 'holds', key: 'l' },
    ];
    expect(readJsonLines(file('lock', ...held, ...both), judge)).toBe('not linearizable');
  });

  test.each([
    ['', 'line 1 is not JSON'],
    ['{"history":2,"model":"register"}', 'the first line must be'],
    ['{"history":1,"model":"queue"}', 'there is no model "queue": register, store-key or lock'],
    [file('register', [1]), 'line 2 must be an object'],
    [file('register', { process: 1, type: 'maybe', f: 'read' }), 'line 2: type must be'],
    [file('register', { process: 1, type: 'ok', f: 'read' }), 'process 1 answers at 2 what it was not asked'],
    [file('register', { process: 1, type: 'invoke', f: 'read' }, { process: 1, type: 'ok', f: 'write' }), 'but was asked read'],
    [file('register', { process: 1, type: 'invoke', f: 'push' }), 'a register has read, write and cas, not push'],
    [file('lock', { process: 1, type: 'invoke', f: 'holds', value: 2 ** 60 }), 'expected a whole number'],
    [file('register', { process: 1, type: 'invoke', f: 'read', time: 'noon' }), 'line 2: time must be a number'],
  ])('nonsense is refused: %s', (text, message) => expect(() => readJsonLines(text, judge)).toThrow(message));
});

describe('a log of Jepsen', () => {
  test.each([
    ['hello', 'line 1 is not of Jepsen'],
    ['INFO  jepsen.util - 1\t:ok\t:read\t3', 'process 1 answers what it was not asked'],
    ['INFO  jepsen.util - 1\t:invoke\t:cas\t3', 'a compare-and-swap has two values'],
    ['INFO  jepsen.util - 1\t:invoke\t:write\tx', 'x is no value'],
  ])('refused: %s', (text, message) => expect(() => parseJepsenLog(text)).toThrow(message));
});

describe('npm run linearizable', () => {
  const run = promisify(execFile);
  const program = fileURLToPath(new URL('linearizable.ts', import.meta.url));
  const log = (number: string): string => fileURLToPath(new URL(`jepsen-etcd/etcd_${number}.log`, import.meta.url));
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-history-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  async function command(...files: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    try {
      return { code: 0, ...(await run(process.execPath, [program, ...files], { timeout: 25_000 })) };
    } catch (error) {
      return error as { code: number; stdout: string; stderr: string };
    }
  }

  test('says it of each file; its exit code is the worst', async () => {
    const unreadable = join(directory, 'nonsense');
    await writeFile(unreadable, 'nonsense\n');
    expect(await command(log('002'))).toMatchObject({ code: 0, stdout: `${log('002')}: linearizable\n` });
    const both = await command(log('002'), log('000'), unreadable);
    expect(both.code).toBe(1);
    expect(both.stdout).toContain(`${log('000')}: not linearizable\n`);
    expect(both.stdout).toContain('there is no place for');
    expect(both.stderr).toContain('is not of Jepsen');
    expect((await command(unreadable)).code).toBe(2);
    expect((await command()).code).toBe(2);
  });
});
