import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { configSchema } from './config.ts';
import { parseConninfo, prepareConfiguration, renderConfiguration, type ConfigurationInput } from './configuration.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-conf-'));
  await mkdir(join(directory, 'data'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function input(more: Record<string, unknown> = {}): ConfigurationInput {
  const config = configSchema.parse({ data: join(directory, 'data'), listen: '127.0.0.1:5432', ...more });
  const places = { data: config.data, run: '/run/x', log: '/x', credentials: '/x', rejoin: '/x', tablespaces: '/x' };
  return {
    config,
    places,
    context: { cluster: 'c', service: 's', node: 'db1', stateDir: directory, account: undefined },
    version: { major: 17, minor: 5, text: '17.5' },
  };
}

/** As PostgreSQL reads it: of settings given twice the last one holds. */
function settings(text: string): Map<string, string> {
  return new Map([...text.matchAll(/^([a-z_.]+) = '(.*)'$/gm)].map(([, name, value]) => [name!, value!]));
}

test('what a user sets never wins over what failover depends on', () => {
  const set = settings(
    renderConfiguration(input({ parameters: { max_wal_senders: 30, work_mem: '5MB' } }), { kind: 'primary', rule: 'ANY 1 ("b")' }, {}),
  );
  expect(Object.fromEntries(set)).toMatchObject({
    max_wal_senders: '30',
    work_mem: '5MB',
    wal_log_hints: 'on',
    restart_after_crash: 'off',
    synchronous_standby_names: 'ANY 1 ("b")',
    primary_conninfo: '',
  });
});

test('a server that can keeps account of what changes, where copies are made, unless its user says otherwise', () => {
  const summarizes = (major: number, isCopied: boolean, parameters = {}): string | undefined => {
    const given = input({ parameters });
    const server = { ...given, context: { ...given.context, isCopied }, version: { major, minor: 9, text: `${major}.9` } };
    return settings(renderConfiguration(server, { kind: 'replica', upstream: undefined }, {})).get('summarize_wal');
  };
  expect([summarizes(17, true), summarizes(18, true)]).toEqual(['on', 'on']);
  expect([summarizes(16, true), summarizes(17, false)]).toEqual([undefined, undefined]);
  expect(summarizes(17, true, { summarize_wal: false })).toBe('off');
});

test('a replica acknowledges nothing by mistake, and a frozen one follows nobody', () => {
  const frozen = settings(renderConfiguration(input(), { kind: 'replica', upstream: undefined }, {}));
  expect(frozen.get('primary_conninfo')).toBe('');
  expect(frozen.get('synchronous_standby_names')).toMatch(/^FIRST 1 /);
});

test('a replica gets no less room than its primary had', () => {
  const minimums = { max_connections: 200, max_worker_processes: 8, max_locks_per_transaction: 64 };
  const set = settings(
    renderConfiguration(input({ parameters: { max_connections: 50 } }), { kind: 'replica', upstream: undefined }, minimums),
  );
  expect(set.get('max_connections')).toBe('200');
  expect(set.has('max_worker_processes')).toBe(false);
});

test('whom a replica follows is read back from the setting itself, whatever the names', () => {
  const names = fc.string({ minLength: 1, maxLength: 30 }).filter((text) => !/[\0\r\n]/.test(text));
  fc.assert(
    fc.property(names, names, fc.integer({ min: 1, max: 65_535 }), (node, host, port) => {
      const text = renderConfiguration(input(), { kind: 'replica', upstream: { node, host, port } }, {});
      const value = settings(text).get('primary_conninfo')!.replaceAll("''", "'").replaceAll('\\\\', '\\');
      expect(parseConninfo(value)).toEqual({ node, host, port });
      expect(value).not.toContain('password');
    }),
  );
});

test("the user's file keeps all but its last word; what ALTER SYSTEM set against us is taken out, the rest stays", async () => {
  const data = join(directory, 'data');
  await writeFile(join(data, 'postgresql.conf'), "# mine\nwork_mem = 3MB\ninclude 'holdfast.conf'\nport = 1\n\n");
  await writeFile(
    join(data, 'postgresql.auto.conf'),
    "# do not edit\nwork_mem = '4MB'\nsynchronous_standby_names = ''\nFSYNC = 'off'\nrecovery_target_xid = '5'\n",
  );
  await prepareConfiguration(input(), data);
  await prepareConfiguration(input(), data);
  expect(await readFile(join(data, 'postgresql.conf'), 'utf8')).toBe("# mine\nwork_mem = 3MB\nport = 1\ninclude 'holdfast.conf'\n");
  expect(await readFile(join(data, 'postgresql.auto.conf'), 'utf8')).toBe("# do not edit\nwork_mem = '4MB'\n");
});

test('nobody is let in without a password, and our own role only from this machine', async () => {
  await prepareConfiguration(input({ hba: ['hostssl app app 10.0.0.0/8 scram-sha-256'] }), join(directory, 'data'));
  const lines = (await readFile(join(directory, 'data', 'holdfast_hba.conf'), 'utf8'))
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  expect(lines.filter((line) => !/ (scram-sha-256|reject)$/.test(line))).toEqual([]);
  expect(lines.findIndex((line) => line === 'host all holdfast all reject')).toBeLessThan(
    lines.findIndex((line) => line.startsWith('hostssl app')),
  );
  expect(lines.at(-1)).toMatch(/^host all/);
});
