import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { HeldCommands } from './held-command.ts';

const holder = fileURLToPath(new URL('./lock-holder.ts', import.meta.url));
const script = fileURLToPath(new URL('./fenced-counter.sh', import.meta.url));

it('64 contenders in 12 processes, by command and by library, act on a fenced counter: none out of order, none lost', async () => {
  await using commands = await HeldCommands.open();
  const [counter, log] = [commands.path('counter'), commands.path('log')];
  await writeFile(counter, '0 0\n');
  const byCommand = Array.from({ length: 8 }, () => commands.start(['lock', 'demo'], `bash ${script} ${counter} ${log}`).finished);
  const byLibrary = Array.from({ length: 4 }, async () => {
    const args = [holder, commands.store, counter, log, '14'];
    const [code] = await once(spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'], cwd: commands.directory }), 'exit');
    return { code: code as number };
  });
  for (const { code } of await Promise.all([...byCommand, ...byLibrary])) expect(code).toBe(0);
  const acts = (await commands.lines('log')).map((line) => line.split(' ') as [string, string]);
  expect(acts.map(([, act]) => act)).toEqual(Array.from({ length: 128 }, (_, n) => (n % 2 === 0 ? 'in' : 'out')));
  const tokens = acts.map(([token]) => BigInt(token));
  expect(tokens).toEqual(tokens.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
  expect(new Set(tokens).size).toBe(64);
  expect(await readFile(counter, 'utf8')).toBe(`${tokens.at(-1)} 64\n`);
});
