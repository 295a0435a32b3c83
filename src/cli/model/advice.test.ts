import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAuthority, issueNodeCertificate } from '../../agent/certificates.ts';
import { formatConfig } from '../../config/format.ts';
import { loadConfig } from '../../config/load.ts';
import { ConfigError } from '../../config/problem.ts';
import { parseRequirements } from '../../model/advice/advise.ts';
import { configurationsOf } from '../../model/advice/configuration.ts';
import type { Design } from '../../model/advice/design.ts';
import { designsOf, idOf } from '../../model/advice/design.ts';
import { createClock } from '../../runtime/clock.ts';
import { readNeedsText } from './read.ts';

const needs = `data: { size: 50GiB, change: 20GiB/day }
worth: { downtime: 2000/h, history: 3000/h, data: 2000000 }
team: { hour: 90 }
`;

describe('configurations', () => {
  const clock = createClock();
  let directory: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-advice-'));
    const wallMs = clock.wallMs();
    const authority = createAuthority({ cluster: 'shop', wallMs, days: 100 });
    writeFileSync(join(directory, 'ca.pem'), authority.certificate);
    for (let node = 1; node <= 5; node++) {
      const issued = issueNodeCertificate(authority, { node: `db${node}`, hosts: ['192.0.2.1'], wallMs, days: 10 });
      writeFileSync(join(directory, `db${node}.pem`), issued.certificate);
      writeFileSync(join(directory, `db${node}.key`), issued.key);
      chmodSync(join(directory, `db${node}.key`), 0o600);
    }
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const input = parseRequirements({
    service: 'shop',
    needs: { availability: '99.95%', rto: '90s', rpo: '0s' },
    data: { size: '50GiB', change: '20GiB/day' },
    worth: { downtime: '2000/h', history: '3000/h', data: 2_000_000 },
    team: { hour: 90 },
  });

  /** Nodes of a design differ in names and addresses only: all are looked at for one way to keep copies. */
  function load(design: Design): void {
    const all = configurationsOf(input, design);
    for (const { node, configuration } of design.copies === 'cloud' ? all : all.slice(-1)) {
      const file = join(directory, 'holdfast.yaml');
      writeFileSync(file, formatConfig(configuration));
      const environment = { HOLDFAST_REPOSITORY_PASSWORD: 'a long password of a repository' };
      const config = loadConfig(file, { clock, environment, strict: true });
      const { postgres, backup } = config.services['shop']!;
      expect([idOf(design), config.node.name, config.peers.length]).toEqual([idOf(design), node, design.members - 1]);
      if (design.members > 1) expect(postgres!.replication.acknowledge).toBe(design.acknowledge);
      expect(backup!.journal).toBe(Math.round(design.journal * 3_600_000));
      expect(config.drills).toHaveLength(design.drills === undefined ? 0 : 1);
    }
  }

  // What a configuration has of topology and copies does not depend on intervals; these are all seen too, as they go round.
  test('of every topology, store and way to keep copies are accepted whole, by the loader of the agent', () => {
    const groups = Map.groupBy(designsOf(input), ({ members, sites, acknowledge, store, copies }) =>
      [members, sites, acknowledge, store, copies].join(' '),
    );
    const intervals = new Set<string>();
    const told = [...groups.values()].map((designs, index) => designs[(index * 7) % designs.length]!);
    for (const design of told) {
      load(design);
      intervals.add(`b${design.backup}`).add(`j${design.journal}`).add(`d${design.drills}`);
    }
    const { backup, journal, drills } = input.search;
    expect(intervals.size).toBe(backup.length + journal.length + drills.length);
    expect(told.length).toBeGreaterThan(200);
  });
});

describe('what is wrong with a file of needs is told with its line', () => {
  function problemsOf(text: string): string[] {
    try {
      readNeedsText(text, 'needs.yaml');
      return [];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return error.problems.map(({ line, path, message }) => `${line} ${path}: ${message}`);
    }
  }

  test('nothing of this', () => expect(problemsOf(needs)).toEqual([]));

  test('what is missing, values of another kind, unknown keys', () => {
    expect(
      problemsOf(`needs: { availability: 8h, budget: 20000, rtoo: 30s }
data: { size: 200GiB/s, change: 20GiB }
worth: { downtime: 2000, history: 3000/h }
team: { skill: wizard, hour: 90 }
search: { sites: [2], members: [0] }
catalogue:
  machine: { mtbf: 4/year, disk: { price: 0.08 } }
  machines: { mtbf: 1y }
`),
    ).toMatchInlineSnapshot(`
      [
        "1 needs.availability: must be a probability from 0 to 1, such as 0.001 or 0.1%, not '8h', which is a duration",
        "1 needs.budget: must be a price per time, such as 70/month, 0.2/h or 900/year, not '20000', which is a number without a unit",
        "1 needs.rtoo: there is no such key; did you mean 'rto'?",
        "2 data.size: must be a size such as 500GiB, not '200GiB/s', which is a transfer rate",
        "2 data.change: must be a size per time, such as 20GiB/day or 250KiB/s, not '20GiB', which is a size",
        "3 worth.data: is missing; it must be a number of at least 0, without a unit",
        "3 worth.downtime: must be money per time, such as 2000/h or 50000/day, not '2000', which is a number without a unit",
        "4 team.skill: must be one of novice, practised, expert, not "wizard"",
        "5 search.sites[0]: must be 1 or 3: of two places none can tell whether the other is gone or only cut off, not 2",
        "5 search.members[0]: must be at least 1, not 0",
        "7 catalogue.machine.mtbf: must be a duration above 0 with its unit, such as 8h, 30min, 90d or 2y, not '4/year', which is a rate",
        "7 catalogue.machine.disk.price: must be a price per size and time, such as 0.023/GB/month, not '0.08', which is a number without a unit",
        "8 catalogue.machines: there is no such key; did you mean 'machine'?",
      ]
    `);
  });

  test('names that do not exist, times that no schedule can say, searches without a design', () => {
    expect(
      problemsOf(`${needs}search: { copies: [clowd], backup: [7h], journal: [2h], drills: [45d] }
catalogue:
  copies:
    both: { mirror: [disk, cloude] }
    triple: { parity: { data: 2, parity: 2, over: [disk, cloud, vault] } }
    twice: { mirror: [disk, disk] }
  locations:
    disk: { loss: 100% }
`),
    ).toMatchInlineSnapshot(`
      [
        "4 search.copies[0]: there is no way to keep copies 'clowd'; did you mean 'cloud'?",
        "4 search.backup[0]: must be an interval that a schedule can say: a divisor of an hour or a day, or 1d, 7d, 30d, 90d, 180d, 365d",
        "4 search.journal[0]: must be an interval from 100ms to 1h",
        "4 search.drills[0]: must be an interval that a schedule can say: a divisor of an hour or a day, or 1d, 7d, 30d, 90d, 180d, 365d",
        "7 catalogue.copies.both: there is no location 'cloude'; did you mean 'cloud'?",
        "8 catalogue.copies.triple: parity must be over data + parity = 4 locations, not 3",
        "9 catalogue.copies.twice: names a location twice: that keeps nothing more",
        "11 catalogue.locations.disk.loss: must be below 1: what is certain within a year has no rate",
      ]
    `);
    expect(problemsOf(`${needs}search: { members: [1], sites: [3] }\n`)).toMatchInlineSnapshot(`
      [
        "4 search: leaves no design: one member stands at one place and waits for nobody (acknowledge 0); with several, commits wait for fewer than there are; where commits wait, no place may hold more members than they wait for; and a backup has to end before half of the time to the next",
      ]
    `);
    expect(problemsOf('')).toMatchInlineSnapshot(`
      [
        "1 : must be a mapping (key: value), not nothing",
      ]
    `);
  });
});
