import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

/** What a program that logs so leaves on standard error. */
function said(program: string): { readonly lines: readonly Record<string, unknown>[]; readonly isLoaded: boolean } {
  const text = `import { openLateLogger } from ${JSON.stringify(new URL('./late-logger.ts', import.meta.url).href)};
    const late = openLateLogger('warn');
    ${program}
    await late[Symbol.asyncDispose]();
    process.stdout.write(String(process.getBuiltinModule('node:module').createRequire(${JSON.stringify(import.meta.url)}).cache !== undefined
      && Object.keys(process.getBuiltinModule('node:module').createRequire(${JSON.stringify(import.meta.url)}).cache).some((name) => name.includes('pino'))));`;
  const { stderr, stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', text], { encoding: 'utf8' });
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  const lines = stderr.split('\n').filter((line) => line !== '');
  return { lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>), isLoaded: stdout === 'true' };
}

test('lines come in their order, with the fields of their parents, from the level on', () => {
  const { lines, isLoaded } = said(`late.logger.info('a.thing.ignored');
    const child = late.logger.child({ part: 'x' });
    late.logger.warn('a.first', { n: 1 });
    child.child({ more: 2 }).error('a.second', { password: 'secret' });
    late.logger.warn('a.third');`);
  expect(lines).toEqual([
    expect.objectContaining({ level: 'warn', event: 'a.first', n: 1 }),
    expect.objectContaining({ level: 'error', event: 'a.second', part: 'x', more: 2, password: '[redacted]' }),
    expect.objectContaining({ level: 'warn', event: 'a.third' }),
  ]);
  expect(isLoaded).toBe(true);
});

test('nothing is loaded where nothing is said', () => {
  expect(said(`late.logger.debug('a.thing.ignored');`)).toEqual({ lines: [], isLoaded: false });
});
