import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Faults } from './hosts/faults.ts';
import { Hosts } from './hosts/hosts.ts';
import type { Load } from './hosts/load.ts';
import { whyNoHosts } from './hosts/machine.ts';

const why = whyNoHosts();

describe.skipIf(why !== undefined)(`three hosts${why === undefined ? '' : ` (SKIPPED: ${why})`}`, () => {
  let hosts: Hosts;
  let load: Load;
  let faults: Faults;

  beforeAll(async () => {
    hosts = await Hosts.start();
    load = hosts.load();
    await load.start();
    faults = new Faults(hosts);
  });

  afterAll(async () => {
    await load[Symbol.asyncDispose]();
    await hosts[Symbol.asyncDispose]();
  });

  test('the leader cut off', async () => {
    const leader = (await hosts.agents.whole()).leader!;
    await load.flows();
    await using cut = await faults.cut(leader);
    await hosts.agents.until('another leader', (service) => service.leader !== null && service.leader !== leader);
    await load.flows();
    await cut.undo();
    await hosts.agents.whole();
    expect(await load.verify()).toEqual({ missing: [], repeated: [], invented: [], outlived: [] });
  });
});
