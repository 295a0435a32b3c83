import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { query } from './agents.ts';
import { Clocks, whyNoClocks } from './hosts/clocks.ts';
import { whyNoDisks } from './hosts/disk.ts';
import { whyNoHosts } from './hosts/machine.ts';
import { StorageFaults } from './hosts/storage-faults.ts';
import { another, same, Trials, type During } from './hosts/trial.ts';

const why = whyNoHosts() ?? whyNoDisks() ?? whyNoClocks();
/** Enough for the data and the WAL that small servers keep. */
const DISK_MIB = 320;

describe.skipIf(why !== undefined)(`disks, clocks and data of three hosts${why === undefined ? '' : ` (SKIPPED: ${why})`}`, () => {
  let trials: Trials;
  let storage: StorageFaults;
  const clocks = why === undefined ? new Clocks() : undefined;

  beforeAll(async () => {
    trials = await Trials.start({
      diskMiB: DISK_MIB,
      run: clocks!.run,
      configure: (config, node) => {
        clocks!.configure(config, node);
        const orders = config.services['orders']!;
        orders['failover'] = { unresponsive: '2s' };
        Object.assign(orders['postgres'] as object, { parameters: { max_wal_size: '64MB', min_wal_size: '32MB' } });
      },
    });
    storage = new StorageFaults(trials.hosts, trials.faults, clocks);
  });
  afterAll(async () => {
    await trials?.[Symbol.asyncDispose]();
    clocks?.[Symbol.dispose]();
  });

  const warned =
    (pattern: RegExp): During =>
    async ({ hosts }) =>
      void (await hosts.agents.until(`a warning ${pattern}`, (service) => service.warnings.some((warning) => pattern.test(warning)), {
        timeoutMs: 30_000,
      }));

  test('the leader’s disk is full: another takes over, and it comes back when there is space', async () => {
    await trials.run(
      (_, leader) => storage.fill(leader),
      async (...given) => {
        await another(...given);
        await warned(/no space is left|disk of its data is full/)(...given);
      },
    );
  });

  test('a replica’s disk is full: the leader goes on', () => trials.run((_, _leader, [replica]) => storage.fill(replica!), same));

  test('the leader’s disk stands still: another takes over', () => trials.run((_, leader) => storage.freeze(leader), another));

  test('a replica’s disk stands still: the leader goes on', () => trials.run((_, _leader, [replica]) => storage.freeze(replica!), same));

  test('the leader’s disk is slow: it goes on leading', () => trials.run((_, leader) => storage.slow(leader), same));

  test('clocks jump by an hour: nothing happens', async () => {
    for (const seconds of [3_600, -3_600]) {
      await trials.run(
        (faults, leader, [replica]) => faults.all([storage.setClock(leader, seconds), storage.setClock(replica!, -seconds)]),
        same,
      );
    }
  });

  test('a replica that lost its WAL is made anew', () => trials.run((_, _leader, [replica]) => storage.loseWal(replica!), same));

  test('an old primary that wrote what nobody else has loses just that', async () => {
    let old = '';
    await trials.run(async (faults, leader) => {
      old = leader;
      const fault = await faults.cutFromHosts(leader);
      await query(
        trials.hosts.agents.connection(leader),
        'begin; set local synchronous_commit = local; insert into held select -generate_series(1, 5000); commit',
      );
      return fault;
    }, another);
    expect(await query(trials.hosts.agents.connection(old), 'select 1 from held where row < 0')).toEqual([]);
  });

  test('a damaged page on a replica is told of, and a reinit mends it', async () => {
    let damaged = '';
    await trials.run(
      async (_, _leader, [replica]) => {
        damaged = replica!;
        await (await storage.damage(damaged, 'held')).undo();
        return trials.faults.made(
          'damaged page',
          async () => void (await trials.hosts.agents.client(damaged).reinit('orders', { node: damaged })),
        );
      },
      async (...given) => {
        const connection = trials.hosts.agents.connection(damaged);
        await expect
          .poll(() => query(connection, 'select count(*) from held').catch((error: unknown) => String(error)), { timeout: 30_000 })
          .toMatch(/invalid page/);
        await warned(new RegExp(`^${damaged} has met damaged pages`))(...given);
      },
    );
    await query(trials.hosts.agents.connection(damaged), 'select count(*) from held');
  });
});
