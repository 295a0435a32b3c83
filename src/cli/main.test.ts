import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { HoldfastError } from '../core/errors.ts';
import type { CommandEntry } from './command-table.ts';
import { main } from './main.ts';

let stdout = '';
let stderr = '';
let loaded: string[] = [];

beforeEach(() => {
  [stdout, stderr, loaded] = ['', '', []];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((stdout += String(text)), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((stderr += String(text)), true));
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

function entry(name: string, action: (words: string[], options: object) => void): CommandEntry {
  return {
    summary: `the summary of ${name}`,
    load: async () => {
      loaded.push(name);
      return { register: (command) => void command.argument('[words...]').option('--fast', 'hurry').action(action) };
    },
  };
}

const table = {
  yes: entry('yes', (words, options) => void process.stdout.write(JSON.stringify({ words, options }))),
  no: entry('no', () => void (process.exitCode = 1)),
  refuse: entry('refuse', () => {
    throw new HoldfastError('COORD_UNREACHABLE', 'the store is away', { retryable: true, hint: 'Wait.' });
  }),
  misuse: entry('misuse', () => {
    throw new HoldfastError('CONFIG_INVALID', 'two problems\n  first\n  second', { hint: 'Correct them.' });
  }),
  broken: entry('broken', () => {
    throw new TypeError('x is not a function');
  }),
};

const run = (...argv: string[]): Promise<number> => main(argv, table);

describe('help', () => {
  test('lists all commands and loads none', async () => {
    expect(await run('--help')).toBe(0);
    for (const name of Object.keys(table)) expect(stdout).toContain(`the summary of ${name}`);
    expect(loaded).toEqual([]);
  });

  test.each([
    ['yes', '--help'],
    ['help', 'yes'],
  ])('of one command loads that one: %s %s', async (...argv) => {
    expect(await run(...argv)).toBe(0);
    expect(stdout).toContain('hurry');
    expect(stdout).toContain('--json');
    expect(loaded).toEqual(['yes']);
  });

  test('is what one gets without a command, as wrong usage', async () => {
    expect(await run()).toBe(2);
    expect(stderr).toContain('Usage: holdfast');
  });
});

describe('a command', () => {
  test('gets its words, its options and --json', async () => {
    expect(await run('yes', 'a', '--fast', '--json', '--', '--b')).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ words: ['a', '--b'], options: { fast: true, json: true } });
  });

  test('that says no ends with 1', async () => expect(await run('no')).toBe(1));
});

describe('errors', () => {
  test.each<[string[], string]>([
    [['yess'], "error: unknown command 'yess' (CLI_USAGE)\nhint: Did you mean yes?\n"],
    [['yes', '--fats'], "error: unknown option '--fats' (CLI_USAGE)\nhint: Did you mean --fast?\n"],
    [['misuse'], 'error: two problems (CONFIG_INVALID)\n  first\n  second\nhint: Correct them.\n'],
  ])('of usage and configuration end with 2: %s', async (argv, text) => {
    expect(await run(...argv)).toBe(2);
    expect(stderr).toBe(text);
    expect(stdout).toBe('');
  });

  test('of the world end with 1 and say what to do', async () => {
    expect(await run('refuse')).toBe(1);
    expect(stderr).toBe('error: the store is away (COORD_UNREACHABLE)\nhint: Wait.\n');
  });

  test('are JSON with --json', async () => {
    expect(await run('refuse', '--json')).toBe(1);
    expect(JSON.parse(stdout)).toEqual({
      error: { code: 'COORD_UNREACHABLE', message: 'the store is away', hint: 'Wait.', retryable: true },
    });
    expect(stderr).toBe('');
  });

  test('are not JSON when --json belongs to somebody else', async () => {
    await run('refuse', '--', '--json');
    expect(stdout).toBe('');
  });

  test('that nobody expected name themselves so', async () => {
    expect(await run('broken')).toBe(1);
    expect(stderr).toContain('error: x is not a function (INTERNAL)');
  });
});
