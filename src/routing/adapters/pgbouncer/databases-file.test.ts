import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { configSchema } from './config.ts';
import { DatabasesFile, formatDatabases, formatSettings, parseDatabases } from './databases-file.ts';

describe('DatabasesFile', () => {
  let directory = '';
  afterEach(() => rm(directory, { recursive: true, force: true }));
  const make = async (): Promise<string> => (directory = await mkdtemp(join(tmpdir(), 'holdfast-databases-')));

  it('is read as it was written, whatever the settings are', () => {
    const name = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/);
    const value = fc.string({ maxLength: 30 }).map((text) => text.replaceAll(/[\0\r\n]/g, ''));
    fc.assert(
      fc.property(fc.nat(), fc.dictionary(name, fc.dictionary(fc.constantFrom('host', 'dbname', 'user'), value)), (term, databases) => {
        const entries = new Map(Object.entries(databases).map(([key, settings]) => [key, formatSettings(settings)]));
        expect(parseDatabases(formatDatabases({ term, entries }))).toEqual({ term, entries });
      }),
    );
  });

  it('doubles quotes, so that a value stays one', () => {
    expect(formatSettings({ dbname: "o'clock host=evil", port: '1' })).toBe("dbname='o''clock host=evil' port='1'");
  });

  it('is nothing before it is there, and takes what is no file of its own for one of no term', async () => {
    const path = join(await make(), 'orders.ini');
    const file = new DatabasesFile(path);
    expect(await file.read()).toBeUndefined();
    await file.write({ term: 7, entries: new Map([['orders', "host='a'"]]) });
    expect(await readFile(path, 'utf8')).toBe("; Written by Holdfast: changes here are lost.\n; term 7\n[databases]\norders = host='a'\n");
    expect((await stat(path)).mode & 0o777).toBe(0o644);
    await writeFile(path, '\0 nonsense \xff\n= =\n; term x\n');
    expect(await file.read()).toEqual({ term: 0, entries: new Map() });
  });

  it('says what to do when it can not be written', async () => {
    const file = new DatabasesFile(join(await make(), 'nowhere', 'orders.ini'));
    await expect(file.write({ term: 1, entries: new Map() })).rejects.toMatchObject({ code: 'ROUTER_PROGRAM_DENIED' });
  });
});

describe('configuration', () => {
  const valid = { console: '127.0.0.1:6432', file: '/etc/pgbouncer/orders.ini', write: 'orders' };
  it.each([
    ['a name that PgBouncer would read as more', { write: 'orders = host=evil' }],
    ['its console as the database', { write: 'pgbouncer' }],
    ['a setting that the agent owns', { parameters: { host: 'evil' } }],
    ['a password where others read it', { parameters: { password: 'secret' } }],
    ['a line break in a value', { parameters: { user: 'a\n[users]' } }],
    ['no database', { write: undefined }],
    ['one database for both', { read: 'orders' }],
  ])('refuses %s', (_, change) => {
    expect(configSchema.safeParse(valid).success).toBe(true);
    expect(configSchema.safeParse({ ...valid, ...change }).success).toBe(false);
  });
});
