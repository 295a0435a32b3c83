import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { main } from '../main.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-commands-'));
const names = { repo: join(root, 'repo'), password: join(root, 'password'), source: join(root, 'source') };

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command on the first repository. */
function run(...words: string[]): Promise<Ran> {
  return runAs([...words, '--repo', names.repo, '--password-file', names.password]);
}

/** Its exit code and what it wrote. */
async function runAs(words: readonly string[]): Promise<Ran> {
  let [out, err] = ['', ''];
  vi.spyOn(process.stdout, 'write').mockImplementation(
    (text) => ((out += typeof text === 'string' ? text : Buffer.from(text).toString()), true),
  );
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((err += String(text)), true));
  process.exitCode = undefined;
  try {
    const code = await main([...words]);
    return { code, out, err };
  } finally {
    vi.restoreAllMocks();
    process.exitCode = undefined;
    for (const name of ['SIGINT', 'SIGTERM']) process.removeAllListeners(name);
  }
}

beforeAll(async () => {
  for (const directory of [names.repo, join(names.source, 'sub')]) mkdirSync(directory, { recursive: true });
  writeFileSync(names.password, 'secret\n');
  writeFileSync(join(names.source, 'file'), 'content');
  writeFileSync(join(names.source, 'sub', 'x.log'), 'log');
  expect(await run('init')).toMatchObject({ code: 0, err: '' });
});
afterAll(() => rmSync(root, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

describe('a repository by hand', () => {
  test('there and back', async () => {
    const made = await run('backup', names.source, '--tag', 'first', '-e', '*.log', '--json');
    expect(made.code).toBe(0);
    expect(JSON.parse(made.out)).toMatchObject({ filesNew: 1, complete: true, issues: [] });
    const again = await run('backup', 'source', '--base', root);
    expect(again.out).toMatch(/^snapshot [0-9a-f]{8}: 2 files new/);

    const listed = JSON.parse((await run('snapshots', '--tag', 'first', '--json')).out) as { id: string; paths: string[] }[];
    expect(listed).toEqual([expect.objectContaining({ paths: [names.source], tags: ['first'] })]);
    expect((await run('ls', 'latest', '/source', '-l')).out).toMatch(/^-rw-r--r-- \S+ 7B [-: \d]+ \/source\/file\n/);
    expect(await run('find', '*.log', '--json')).toMatchObject({ code: 0, out: expect.stringContaining('"path":"/source/sub/x.log"') });
    expect((await run('find', 'nothing')).code).toBe(1);
    expect((await run('dump', 'latest', '/source/file')).out).toBe('content');

    const target = join(root, 'target');
    expect(await run('restore-files', listed[0]!.id, '--from', names.source, '--target', target, '--verify')).toMatchObject({
      code: 0,
      err: '',
    });
    expect(readFileSync(join(target, 'file'), 'utf8')).toBe('content');
    expect(await run('restore-files', 'latest', '-t', target)).toMatchObject({
      code: 1,
      err: expect.stringContaining('BACKUP_TARGET_NOT_EMPTY'),
    });
  });

  test('what is missing is told by the exit code', async () => {
    const { code, out, err } = await run('backup', names.source, join(root, 'absent'));
    expect([code, out.includes('snapshot'), err]).toEqual([3, true, expect.stringContaining('vanished')]);
    expect((await run('backup', join(root, 'absent'))).code).toBe(1);
  });

  test('forgetting is shown first, and checked', async () => {
    const dry = await run('forget', '--keep-last', '1', '--group-by', 'none', '--dry-run');
    expect(dry.out).toContain('would forget 2');
    expect(await run('forget')).toMatchObject({ code: 1, err: expect.stringContaining('BACKUP_RULES_EMPTY') });
    expect((await run('forget', '--keep-last', '1', '--group-by', 'none', '--prune')).out).toMatch(/freed \d/);
    expect(JSON.parse((await run('snapshots', '--json')).out)).toHaveLength(1);
    expect(JSON.parse((await run('check', '--read-data', '--json')).out)).toMatchObject({ ok: true, snapshots: 1, strayPacks: [] });
  });

  test('a scrub heals what is damaged in one copy from the other, and says what it could not', async () => {
    const parts = ['one', 'other'].map((name) => join(root, name));
    for (const part of parts) mkdirSync(part);
    const file = join(root, 'mirror.yaml');
    const text = [
      'cluster: shop',
      'node: { name: db1, listen: "127.0.0.1:7400" }',
      'security: { ca: ca.pem, cert: a.pem, key: a.key }',
      'coordination: { embedded: store.db }',
      'services: {}',
      `locations: { one: { path: ${parts[0]} }, other: { path: ${parts[1]} }, both: { mirror: [one, other], password: "file:${names.password}" } }`,
    ];
    writeFileSync(file, text.join('\n'));
    chmodSync(names.password, 0o600);
    expect(await runAs(['init', '--repo', 'both', '--config', file])).toMatchObject({ code: 0, err: '' });
    // What is left of a mirror is opened with the mirror's password.
    expect(await runAs(['snapshots', '--repo', 'one', '--config', file])).toMatchObject({ code: 0, err: '' });
    const [key] = readdirSync(join(parts[0]!, 'keys'));
    writeFileSync(join(parts[0]!, 'keys', key!), 'rot');

    const alone = await runAs(['scrub', parts[0]!]);
    expect([alone.code, alone.out]).toEqual([1, expect.stringMatching(/^damaged: \S+ keys\/.*0 healed, 1 left\n$/s)]);
    expect((await runAs(['scrub', 'both', '--config', file, '--no-heal'])).code).toBe(1);
    const healed = await runAs(['scrub', 'both', '--config', file, '--rate', '100MiB/s', '--json']);
    expect([healed.code, JSON.parse(healed.out)]).toEqual([0, expect.objectContaining({ objects: 2, healed: 1, open: 0 })]);
    expect(readFileSync(join(parts[0]!, 'keys', key!))).toEqual(readFileSync(join(parts[1]!, 'keys', key!)));
    renameSync(parts[1]!, `${parts[1]}.gone`);
    const away = await runAs(['scrub', 'both', '--config', file]);
    expect([away.code, away.out]).toEqual([1, expect.stringContaining('other is away')]);
  });

  test('a location that is full by its quota is given no backup and no copies, and says so before anything is read', async () => {
    const small = join(root, 'small');
    mkdirSync(small);
    const file = join(root, 'holdfast.yaml');
    const locations = (size: string): string => `locations:\n  small: { path: ${small}, limits: { size: ${size} } }\n`;
    const at = ['--repo', 'small', '--config', file, '--password-file', names.password];
    const inSmall = (...words: string[]) => runAs([...words, ...at]);
    writeFileSync(file, locations('1MiB'));
    expect(await inSmall('init')).toMatchObject({ code: 0, err: '' });
    expect(await inSmall('backup', names.source)).toMatchObject({ code: 0, err: '' });
    writeFileSync(file, locations('1KiB'));
    const full = { code: 1, err: expect.stringMatching(/location 'small', and 1KiB may: .*STORAGE_QUOTA/) };
    expect(await inSmall('backup', join(root, 'not even looked for'))).toMatchObject(full);
    expect(await run('copy', '--to', 'small', '--config', file)).toMatchObject(full);
    expect(JSON.parse((await inSmall('snapshots', '--json')).out)).toHaveLength(1);
    expect((await inSmall('forget', '--keep-last', '1', '--prune')).code).toBe(0);
  });

  test.each([
    [['backup'], 'CLI_USAGE'],
    [['backup', '.', '--stdin'], 'CLI_USAGE'],
    [['forget', '--keep-last', 'some'], 'CLI_USAGE'],
    [['forget', '--keep-within', '5'], 'UNIT_INVALID'],
    [['forget', '--group-by', 'moon', '--keep-last', '1'], 'CLI_USAGE'],
    [['check', '--read-data-subset', 'half'], 'UNIT_INVALID'],
    [['snapshots', '--password-file', '/absent'], 'CLI_NO_PASSWORD'],
  ])('%j is refused as %s', async (words, expected) => {
    let err = '';
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((err += String(text)), true));
    const rest = words.includes('--password-file') ? [] : ['--password-file', names.password];
    expect(await main([...words, '--repo', names.repo, ...rest])).toBeGreaterThan(0);
    expect(err).toContain(expected);
  });
});
