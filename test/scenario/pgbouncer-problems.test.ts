import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/core/logger.ts';
import { Secret } from '../../src/core/secret.ts';
import { configSchema } from '../../src/routing/adapters/pgbouncer/config.ts';
import { pgbouncer as adapter } from '../../src/routing/adapters/pgbouncer/index.ts';
import { eventually } from '../../src/routing/contract/tcp.ts';
import type { Router, RouteView } from '../../src/routing/router.ts';
import { createClock, createRandom } from '../../src/runtime/index.ts';
import { temporaryDirectory } from './demo-process.ts';
import { Pgbouncer, pgbouncerProgram } from './servers/pgbouncer.ts';
import { freePorts } from './servers/server-process.ts';

const clock = createClock();
const runtime = { clock, random: createRandom(), logger: silentLogger };

describe.skipIf(pgbouncerProgram === undefined)('a PgBouncer driven by its console (needs pgbouncer)', () => {
  let resources = new AsyncDisposableStack();
  afterEach(async () => {
    await resources.disposeAsync();
    resources = new AsyncDisposableStack();
  });

  const prepare = async (change?: (text: string) => string): Promise<Pgbouncer> => {
    const directory = resources.use(await temporaryDirectory());
    const [port] = await freePorts(1);
    return resources.use(await Pgbouncer.prepare(join(directory.path, 'pgbouncer'), port!, 'unused', change));
  };
  const open = async (program: Pgbouncer, change: object = {}, password = program.consolePassword, holdMs = 30_000): Promise<Router> => {
    const settings = { console: `127.0.0.1:${program.port}`, file: program.file, write: 'or-de.rs', read: 'readers', timeout: '500ms' };
    const secret = new Secret({ from: 'environment', name: 'PASSWORD' }, password);
    const config = { ...configSchema.parse({ ...settings, ...change }), password: secret };
    const common = { holdMs, lagMax: 100, readFromLeader: 'fallback' as const };
    return resources.use(await adapter.open('orders', { ...config, ...common }, runtime));
  };
  const says = async (router: Router, what: RegExp): Promise<void> => {
    await expect.poll(() => router.status().problem ?? '', { timeout: 30_000 }).toMatch(what);
  };
  const databases = async (program: Pgbouncer): Promise<string[]> =>
    (await program.ask('SHOW DATABASES'))
      .filter(({ name }) => name !== 'pgbouncer')
      .map(
        ({ name, host, port, database, paused }) => `${String(name)} ${String(host)}:${String(port)} ${String(database)} ${String(paused)}`,
      );

  test('points both databases, holds and resumes writers, and is put right after a restart', async () => {
    const program = await prepare();
    const router = await open(program, { parameters: { user: "o'neill", pool_size: '3' } });
    await program.start();
    router.publish(view(4, '10.0.0.1', ['10.0.0.2', '10.0.0.3']));
    const readers = 'readers 10.0.0.2,10.0.0.3:5432 readers 0';
    await expect.poll(() => databases(program), { timeout: 30_000 }).toEqual(['or-de.rs 10.0.0.1:5432 or-de.rs 0', readers]);
    await eventually(clock, () => router.status().term === 4, 'it is known to be done');
    await router.hold(4);
    expect(await databases(program)).toEqual(['or-de.rs 10.0.0.1:5432 or-de.rs 1', readers]);
    await program.stop();
    await program.start();
    await expect.poll(() => databases(program), { timeout: 30_000 }).toEqual(['or-de.rs 10.0.0.1:5432 or-de.rs 1', readers]);
    router.publish(view(5, '10.0.0.2', ['10.0.0.3']));
    await expect
      .poll(() => databases(program), { timeout: 30_000 })
      .toEqual(['or-de.rs 10.0.0.2:5432 or-de.rs 0', 'readers 10.0.0.3:5432 readers 0']);
    // PgBouncer has it a moment before the router has looked whether it has.
    await eventually(clock, () => router.status().term === 5, 'it is known to be done');
    expect(router.status()).toMatchObject({ kind: 'pgbouncer', term: 5, holding: false });
    const row = (await program.ask('SHOW DATABASES')).find(({ name }) => name === 'or-de.rs');
    expect(row).toMatchObject({ force_user: "o'neill", pool_size: 3 });
  });

  test('nobody waits longer than hold.for, nor for an agent that ends', async () => {
    const program = await prepare();
    const router = await open(program, {}, program.consolePassword, 1_000);
    await program.start();
    router.publish(view(1, '10.0.0.1'));
    await eventually(clock, () => router.status().term === 1, 'it is done');
    router.publish(view(2));
    await expect.poll(() => program.isPaused('or-de.rs')).toBe(true);
    await expect.poll(() => program.isPaused('or-de.rs'), { timeout: 30_000 }).toBe(false);
    router.publish(view(3, '10.0.0.2'));
    await eventually(clock, () => router.status().term === 3, 'it is done');
    await router.hold(3);
    expect(await program.isPaused('or-de.rs')).toBe(true);
    await router[Symbol.asyncDispose]();
    expect(await program.isPaused('or-de.rs')).toBe(false);
  });

  test('an agent that comes late, or again, does not go back behind the term in the file', async () => {
    const program = await prepare();
    const router = await open(program);
    await program.start();
    router.publish(view(7, '10.0.0.7'));
    await eventually(clock, () => router.status().term === 7, 'it is done');
    const late = await open(program);
    late.publish(view(6, '10.0.0.6'));
    await says(late, /told of term 7 already, higher than 6/);
    expect((await databases(program))[0]).toBe('or-de.rs 10.0.0.7:5432 or-de.rs 0');
    expect(await readFile(program.file, 'utf8')).toContain("host='10.0.0.7'");
    // What somebody took away comes back.
    await rm(program.file);
    await expect.poll(() => readFile(program.file, 'utf8').catch(() => ''), { timeout: 30_000 }).toContain("host='10.0.0.7'");
  });

  test.each<[string, { change?: (text: string) => string; settings?: object; password?: string }, RegExp]>([
    ['a wrong password', { password: 'guessed' }, /refuses user 'holdfast': SASL authentication failed.*admin_users/],
    ['a user that is no admin', { settings: { user: 'guest' }, password: 'guest' }, /refuses user 'guest': .*admin_users/],
    [
      'a file that is not included',
      { change: (text) => text.replace(/%include .*/, 'or-de.rs = host=10.9.9.9') },
      /does not go by .*databases\.ini after a reload.*%include/,
    ],
  ])('says what is wrong with %s', async (_, { change, settings, password }, said) => {
    const program = await prepare(change);
    const router = await open(program, settings, password);
    router.publish(view(1, '10.0.0.1'));
    await says(router, /PgBouncer does not answer at 127\.0\.0\.1:\d+: .*ECONNREFUSED/);
    await program.start();
    await says(router, said);
    expect(router.status().term).toBe(0);
  });

  test('is not opened when the file for it can not be made', async () => {
    const program = await prepare();
    await expect(open(program, { file: join(program.file, 'under', 'orders.ini') })).rejects.toMatchObject({
      code: 'ROUTER_PROGRAM_DENIED',
    });
  });
});

function view(term: number, leader?: string, replicas: readonly string[] = []): RouteView {
  const place = (host: string) => ({ node: `n${host.split('.').at(-1)}`, host, port: 5432 });
  return {
    term,
    leader: leader === undefined ? undefined : place(leader),
    replicas: replicas.map((host) => ({ ...place(host), lagBytes: 0 })),
  };
}
