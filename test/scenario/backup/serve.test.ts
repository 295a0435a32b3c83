import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAuthority, issueNodeCertificate } from '../../../src/agent/certificates.ts';
import { holdfast } from '../demo-process.ts';
import { contents } from './contents.ts';
import { RestServer } from './rest-server.ts';
import { hasRestic, Restic } from './restic.ts';

/** An address of this file's own: a server that was killed gets its port again. */
const host = '127.83.17.4';
const password = 'correct horse';
const user = { name: 'alice', password: 'of alice only' };
const auth = `${user.name}:${user.password}`;
const mebibyte = 1024 * 1024;

let scratch: string;
let config: string;
let ca: string;
const paths = { ca: '', cert: '', key: '', users: '', password: '', source: '' };
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'holdfast-serve-'));
  for (const name of ['ca', 'cert', 'key', 'users', 'password', 'source'] as const) paths[name] = join(scratch, name);
  const of = { wallMs: Date.now(), days: 1 };
  const authority = createAuthority({ cluster: 'copies', ...of });
  const { certificate, key } = issueNodeCertificate(authority, { node: 'server', hosts: [host], ...of });
  ca = authority.certificate;
  await writeFile(paths.ca, ca);
  await writeFile(paths.cert, certificate);
  await writeFile(paths.key, key, { mode: 0o600 });
  await writeFile(paths.password, `${user.password}\n`);
  expect(await holdfast(['serve', '--users', paths.users, '--add-user', user.name, '-p', paths.password])).toMatchObject({ code: 0 });
  await writeFile(paths.password, password);

  const disks = ['a', 'b', 'c', 'left', 'right', 'one'];
  for (const disk of disks) await mkdir(join(scratch, disk));
  const locations = {
    ...Object.fromEntries(disks.map((disk) => [disk, { path: join(scratch, disk) }])),
    vault: { parity: { data: 2, parity: 1, over: ['a', 'b', 'c'] } },
    twins: { mirror: ['left', 'right'] },
  };
  config = join(scratch, 'holdfast.yaml');
  await writeFile(config, JSON.stringify({ locations }), { mode: 0o600 });
  await mkdir(join(paths.source, 'below'), { recursive: true });
  await writeFile(join(paths.source, 'noise'), randomBytes(6 * mebibyte));
  await writeFile(join(paths.source, 'below', 'text'), 'the same line again and again\n'.repeat(50_000));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

function serve(location: string, ...args: string[]): Promise<RestServer> {
  return RestServer.start(location, `${host}:0`, '--config', config, ...args);
}

const guarded = (): string[] => ['--users', paths.users, '--tls-cert', paths.cert, '--tls-key', paths.key];

async function until(what: string, reached: () => Promise<boolean>, timeoutMs = 90_000): Promise<void> {
  for (const end = performance.now() + timeoutMs; performance.now() < end; await sleep(100)) if (await reached()) return;
  throw new Error(`not in time: ${what}`);
}

async function expectRestored(restic: Restic, name: string, snapshot = 'latest'): Promise<void> {
  const target = join(scratch, name);
  restic.run('restore', snapshot, '--target', target);
  expect(await contents(join(target, paths.source))).toEqual(await contents(paths.source));
}

describe.runIf(hasRestic())('holdfast serve and the real restic (skipped where restic is absent)', () => {
  test('a parity location over TLS: one part is lost, comes back and catches up, another one is lost', async () => {
    await using server = await serve('vault', ...guarded());
    const restic = new Restic(server.urlFor(user.name, user.password), password, ['--cacert', paths.ca]);
    restic.run('init');
    restic.run('backup', paths.source);

    await rename(join(scratch, 'b'), join(scratch, 'b-away'));
    await writeFile(join(paths.source, 'more'), randomBytes(mebibyte));
    restic.run('backup', paths.source);
    expect(restic.run('forget', '--keep-last', '1', '--prune')).toContain('1 snapshots have been removed');
    const metrics = async (): Promise<string> => (await server.ask('GET', '/metrics', { auth, ca })).body;
    expect(await metrics()).toContain('holdfast_location_ok{location="b"} 0');

    await rename(join(scratch, 'b-away'), join(scratch, 'b'));
    await until('b has caught up', async () => /location_ok\{location="vault"\} 1/.test(await metrics()));
    expect(await metrics()).toContain('holdfast_location_behind_objects{location="b"} 0');
    await rename(join(scratch, 'c'), join(scratch, 'c-away'));
    expect(restic.run('check', '--read-data')).toContain('no errors were found');
    await expectRestored(restic, 'without-c');
    await rename(join(scratch, 'c-away'), join(scratch, 'c'));

    // The same repository without the server, and back.
    const direct = ['--repo', 'vault', '--config', config, '--password-file', paths.password];
    await until('c is back', async () => /location_ok\{location="vault"\} 1/.test(await metrics()));
    expect(await holdfast(['check', '--read-data', ...direct])).toMatchObject({ code: 0 });
    expect(await holdfast(['backup', paths.source, '--tag', 'direct', ...direct])).toMatchObject({ code: 0 });
    expect(JSON.parse(restic.run('snapshots', '--json', '--tag', 'direct'))).toHaveLength(1);

    expect(await server.end()).toBe(0);
    const log = await server.log();
    expect(log.find(({ event }) => event === 'rest.location.changed')).toMatchObject({ state: expect.stringMatching(/degraded|away/) });
    expect(log.at(-1)).toMatchObject({ event: 'rest.server.ended' });
    for (const secret of [user.password, password, 'Basic ']) expect(JSON.stringify(log)).not.toContain(secret);
  });

  test('append-only over a mirror: nothing is removed or replaced, strangers see nothing, damage is healed', async () => {
    await using server = await serve('twins', ...guarded(), '--append-only');
    const restic = new Restic(server.urlFor(user.name, user.password), password, ['--cacert', paths.ca]);
    restic.run('init');
    restic.run('backup', paths.source);
    for (const bad of [`${user.name}:wrong password`, 'nobody:x', undefined]) {
      const refused = await server.ask('GET', '/config', { ca, ...(bad && { auth: bad }) });
      expect(refused).toMatchObject({ status: 401, headers: { 'www-authenticate': expect.stringContaining('Basic') } });
    }
    expect(new Restic(server.urlFor(user.name, 'wrong'), password, ['--cacert', paths.ca]).try(['snapshots']).stderr).toContain('401');
    expect(new Restic(server.urlFor(user.name, user.password), password).try(['snapshots']).stderr).toContain('certificate');

    const [snapshot] = JSON.parse(restic.run('snapshots', '--json')) as [{ id: string }];
    const before = await contents(join(scratch, 'left'));
    for (const path of ['/config', '/', `/snapshots/${snapshot.id}`]) {
      expect(await server.ask('DELETE', path, { auth, ca }), path).toMatchObject({ status: 403 });
    }
    expect(await server.ask('POST', '/config', { auth, ca, body: randomBytes(100) })).toMatchObject({ status: 403 });
    expect(await server.ask('POST', `/snapshots/${snapshot.id}`, { auth, ca, body: randomBytes(100) })).toMatchObject({ status: 403 });
    expect(await contents(join(scratch, 'left'))).toEqual(before);
    expect(before).toEqual(await contents(join(scratch, 'right')));

    // Rot in one copy of every pack.
    for (const file of Object.keys(before).filter((path) => path.startsWith('/data/'))) {
      const path = join(scratch, 'left', file);
      const bytes = await readFile(path);
      bytes[10]! ^= 1;
      await chmod(path, 0o600);
      await writeFile(path, bytes);
    }
    expect(restic.run('check', '--read-data')).toContain('no errors were found');
    await expectRestored(restic, 'healed');
    await until('the copies are healed', async () =>
      Object.entries(await contents(join(scratch, 'left'))).every(([path, sum]) => (before[path] ?? sum) === sum),
    );

    // Each copy by itself is a repository.
    expect(await server.end()).toBe(0);
    expect(new Restic(join(scratch, 'right'), password).run('check', '--read-data')).toContain('no errors were found');
  });

  test('a server that is killed in the midst of a backup: restic goes on with the next one', async () => {
    await writeFile(join(paths.source, 'long'), randomBytes(24 * mebibyte));
    let server = await serve('one');
    await using _last = { [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
    const restic = new Restic(server.urlFor(), password);
    restic.run('init');
    const environment = { PATH: process.env['PATH'], HOME: scratch, RESTIC_PASSWORD: password };
    // Slow enough to be met in its midst on any machine.
    const words = ['--repo', server.urlFor(), '--no-cache', '--limit-upload', '6144', 'backup', paths.source];
    const backup = spawn('restic', words, { stdio: 'ignore', env: environment });
    const ended = once(backup, 'exit');
    const packs = async (): Promise<number> => (await readdir(join(scratch, 'one', 'data'), { recursive: true }).catch(() => [])).length;
    await until('a pack', async () => (await packs()) > 0);
    const { address } = server;
    await server.end('SIGKILL');
    expect(backup.exitCode).toBeNull();
    server = await RestServer.start('one', address, '--config', config);
    expect(await ended).toEqual([0, null]);
    expect(restic.run('check', '--read-data')).toContain('no errors were found');
    await expectRestored(restic, 'after-its-death');
    await rm(join(paths.source, 'long'));
  });

  test('read-only lets read without locks; what is exposed or nonsense is not served', async () => {
    await using server = await serve('one', '--read-only');
    const restic = new Restic(server.urlFor(), password);
    expect(JSON.parse(restic.run('snapshots', '--no-lock', '--json'))).toHaveLength(1);
    expect(restic.try(['forget', '--keep-last', '1', '--no-lock']).status).not.toBeNull();
    const id = 'a'.repeat(64);
    for (const method of ['POST', 'DELETE']) expect(await server.ask(method, `/locks/${id}`)).toMatchObject({ status: 403 });
    // A page that points its own name at this machine.
    expect(await server.ask('GET', '/config', { headers: { host: 'evil.example' } })).toMatchObject({ status: 421 });
    const refused = async (...args: string[]): Promise<string> => (await holdfast(['serve', 'one', '--config', config, ...args])).stderr;
    const refusals = [
      ['SERVE_EXPOSED', '--listen', '0.0.0.0:0', '--users', paths.users],
      ['LISTEN_PORT_IN_USE', '--listen', server.address],
      ['CLI_USAGE', '--append-only', '--read-only'],
    ] as const;
    await Promise.all(refusals.map(async ([expected, ...args]) => expect(await refused(...args)).toContain(expected)));
  });
});
