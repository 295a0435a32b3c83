import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { createAuthority, issueNodeCertificate } from '../agent/certificates.ts';
import { HoldfastError } from '../core/errors.ts';
import { createClock } from '../runtime/clock.ts';
import { checkText, findConfig, loadConfig, loadForCopies } from './load.ts';
import { ConfigError } from './problem.ts';

const complete = `cluster: shop
node: { name: db1, site: paris, listen: 10.0.0.1:7400 }
security:
  ca: ca.pem
  cert: db1.pem
  key: db1.key
  tokens: [{ name: ann, role: admin, secret: "\${ANN}" }]
coordination: { etcd: { endpoints: ["https://10.0.0.11:2379", "https://10.0.0.12:2379"] }, ttl: 10s }
peers: [10.0.0.2:7400, 10.0.0.3:7400]
services:
  orders:
    tier: 1
    objectives: { availability: 99.95%, rto: 30s, rpo: 1s }
    postgres:
      data: /var/lib/holdfast/orders
      listen: 10.0.0.1:5432
      replication: { acknowledge: 1 }
    router: { write: 0.0.0.0:6432, read: 0.0.0.0:6433 }
    backup: { to: offsite, schedule: "0 3 * * *", journal: 1s, keep: { last: 3, daily: 7 } }
  uploads:
    tier: 2
    after: [orders]
    files: { path: uploads }
    backup: { to: offsite, schedule: "*/15 * * * *" }
locations:
  disk: { path: /backup/holdfast }
  cloud: { s3: { bucket: shop-dr, region: eu-west-3 } }
  offsite: { mirror: [cloud, disk] }
drills:
  - { restore: orders, at: random, schedule: "0 5 * * 0", checks: [amcheck, { sql: "select 1" }] }
`;

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-config-'));
  const [wallMs, days] = [createClock().wallMs(), 1];
  const authority = createAuthority({ cluster: 'shop', wallMs, days });
  const issued = issueNodeCertificate(authority, { node: 'db1', hosts: [], wallMs, days });
  write(authority.certificate, 'ca.pem');
  write(issued.certificate, 'db1.pem');
  chmodSync(write(issued.key, 'db1.key'), 0o600);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function write(text: string, name = 'holdfast.yaml'): string {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
}

/** `line:column path: message` of every problem of the complete example with `change` done to it. */
function problemsOf(text: string): string[] {
  try {
    checkText(write(text));
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);
  }
}

function changed(from: string | RegExp, to: string): string {
  const text = complete.replace(from, to);
  expect(text).not.toBe(complete);
  return text;
}

test('a complete configuration is read into values that code wants', () => {
  const { config } = checkText(write(complete));
  expect(config.coordination.ttl).toBe(10_000);
  expect(config.peers).toEqual([
    { host: '10.0.0.2', port: 7400 },
    { host: '10.0.0.3', port: 7400 },
  ]);
  expect(config.services['orders']?.objectives?.availability).toBe(0.9995);
  expect(config.services['uploads']?.files?.path).toBe(join(directory, 'uploads'));
  expect(config.security?.ca).toBe(join(directory, 'ca.pem'));
  expect(config.node.state).toBe('/var/lib/holdfast/.state');
});

test('for copies a file of locations is enough, and judged as in a whole one; any other is judged whole', () => {
  chmodSync(write('correct horse\n', 'password'), 0o600);
  const locations = `locations:
  disk: { path: copies }
  both: { mirror: [disk, far], password: "file:password" }
`;
  const problems = (text: string): string => {
    try {
      loadForCopies(write(text));
      return '';
    } catch (error) {
      return (error as ConfigError).problems.map(({ line, path, message }) => `${line} ${path}: ${message}`).join('; ');
    }
  };
  const whole = locations.replace('disk, far', 'disk').replace('mirror: [disk]', 'path: both');
  const { locations: read, services } = loadForCopies(write(whole));
  expect(services).toEqual({});
  expect(read['disk']?.path).toBe(join(directory, 'copies'));
  expect(read['both']?.password?.reveal()).toBe('correct horse');
  expect(problems(locations)).toBe("3 locations.both.mirror[1]: there is no location 'far'; there are: disk, both");
  expect(problems(locations.replace('far', 'both'))).toContain('both would contain itself');
  expect(problems(whole.replace('path: copies', 'paths: copies'))).toContain("did you mean 'path'?");
  expect(problems(whole.replace('locations', 'location'))).toContain("did you mean 'locations'?");
  expect(problems(`cluster: shop\n${whole}`)).toContain('node: is missing');
});

test('commits wait for a journal only where that loses nothing and there are connections enough', () => {
  const sync = changed('journal: 1s', 'journal: sync');
  expect(problemsOf(sync)).toEqual([]);
  expect(problemsOf(changed('journal: 1s', 'journal: { sync: 30s }'))).toEqual([]);
  const refused = (text: string): string => problemsOf(text).join();
  expect(refused(sync.replace('acknowledge: 1', 'acknowledge: 0'))).toContain('sync needs postgres.replication.acknowledge of at least 1');
  expect(refused(sync.replace('peers: [10.0.0.2:7400, 10.0.0.3:7400]', '').replace('acknowledge: 1', 'acknowledge: 0'))).toBe('');
  expect(refused(sync.replace('acknowledge: 1 }', 'acknowledge: 1 }\n      parameters: { max_wal_senders: 7 }'))).toContain(
    'at least 8, not 7',
  );
  expect(refused(changed('"*/15 * * * *" }', '"*/15 * * * *", journal: sync }'))).toContain('sync is for PostgreSQL');
  expect(refused(changed('journal: 1s', 'journal: never'))).toContain('must be a duration');
});

test('what is copied of a service is what it has', () => {
  const queue = (backup: string): string =>
    problemsOf(
      changed('files: { path: uploads }', 'process: { command: [queued] }').replace('"*/15 * * * *" }', `"*/15 * * * *"${backup} }`),
    ).join();
  expect(queue(', paths: [/srv/queue], exclude: ["*.tmp"]')).toBe('');
  expect(queue(', command: { run: [queuectl, export], name: queue.json, within: 10m }, before: { run: [a] }, after: { run: [b] }')).toBe(
    '',
  );
  const oneOfTwo = 'services.uploads.backup.paths: of a process either paths or the output of a command are copied';
  expect(queue('')).toContain(oneOfTwo);
  expect(queue(', paths: [/a], command: { run: [x], name: y }')).toContain(oneOfTwo);
  expect(queue(', paths: [/a], journal: 1s')).toContain('services.uploads.backup.journal: is for PostgreSQL only');
  expect(queue(', paths: [/a], fold: 1m')).toContain('services.uploads.backup.fold: is for PostgreSQL only');
  expect(queue(', command: { run: [x], name: ../y }')).toContain('a file name of letters');
  expect(problemsOf(changed('"*/15 * * * *" }', '"*/15 * * * *", paths: [/a] }')).join()).toContain('is for a process only');
  expect(problemsOf(changed(' journal: 1s,', '')).join()).toContain('services.orders.backup.journal: must be there');
  expect(problemsOf(changed('journal: 1s', 'journal: 1s, before: { run: [a] }')).join()).toContain('is not for PostgreSQL');
});

describe('a mistake is told with its place, what was found and what is allowed', () => {
  // What is changed into what; the text at which the problem must point; the problem.
  test.each<[string, string | RegExp, string, string, string]>([
    ['misspelt key', 'tier: 1', 'teir: 1', 'teir', "services.orders.teir: there is no such key; did you mean 'tier'?"],
    [
      'key of no likeness',
      'site: paris',
      'colour: red',
      'colour',
      'node.colour: there is no such key; there are: name, site, listen, advertise, state',
    ],
    [
      'number without a unit',
      'ttl: 10s',
      'ttl: 10',
      '10 }',
      'coordination.ttl: must be a duration such as 200ms, 10s, 5m or 1h30m, at least 500ms and at most 5m, not 10',
    ],
    ['missing value', 'name: db1, ', '', 'node', 'node.name: is missing; it must be a name'],
    ['no port', '10.0.0.3:7400', '10.0.0.3', '10.0.0.3', 'peers[1]: must be HOST:PORT'],
    ['port out of range', '10.0.0.3:7400', '10.0.0.3:74000', '10.0.0.3', 'peers[1]: must be HOST:PORT'],
    ['upper case name', 'cluster: shop', 'cluster: Shop', 'Shop', 'cluster: must be a name'],
    ['service of a bad name', 'uploads:', 'up_loads:', 'up_loads', 'services.up_loads: must be a name'],
    ['unknown role', 'role: admin', 'role: boss', 'boss', 'security.tokens[0].role: must be one of viewer, operator, admin, not "boss"'],
    ['two stores', 'ttl: 10s', 'embedded: x', '{ etcd', 'coordination: must have exactly one of'],
    ['two engines', 'files:', 'process: { command: [a] }\n    files:', 'tier: 2', 'services.uploads: must have at most one of'],
    ['no engine and no router', 'files: { path: uploads }', '', 'tier: 2', 'services.uploads: must have one of'],
    ['nothing', 'cluster: shop', 'cluster:', '\nnode: {', 'cluster: must be a name'],
    [
      'unknown location',
      'to: offsite, schedule: "0',
      'to: offsit, schedule: "0',
      'offsit,',
      "services.orders.backup.to: there is no location 'offsit'; did you mean 'offsite'?",
    ],
    [
      'unknown service',
      'after: [orders]',
      'after: [order]',
      'order]',
      "services.uploads.after[0]: there is no service 'order'; did you mean 'orders'?",
    ],
    [
      'itself before itself',
      'after: [orders]',
      'after: [uploads]',
      '[uploads]',
      'services.uploads.after: uploads would have to be up before itself',
    ],
    [
      'a location within itself',
      'mirror: [cloud, disk]',
      'mirror: [cloud, offsite]',
      'offsite: { mirror',
      'locations.offsite: offsite would contain itself',
    ],
    [
      'parity over too few',
      'mirror: [cloud, disk]',
      'parity: { data: 2, parity: 1, over: [cloud, disk] }',
      '[cloud, disk]',
      'locations.offsite.parity.over: must name data + parity = 3 locations, not 2',
    ],
    [
      'two listeners on one port',
      'read: 0.0.0.0:6433',
      'read: 127.0.0.1:6432',
      '127.0.0.1:6432',
      'services.orders.router.read: 127.0.0.1:6432 is taken already by services.orders.router.write',
    ],
    [
      'agent and database on one port',
      'listen: 10.0.0.1:5432',
      'listen:  10.0.0.1:7400',
      ' 10.0.0.1:7400\n',
      'services.orders.postgres.listen: 10.0.0.1:7400 is taken already by node.listen',
    ],
    [
      'more replicas than peers',
      'acknowledge: 1',
      'acknowledge: 3',
      '3 }\n    router',
      'services.orders.postgres.replication.acknowledge: each commit would wait for 3 replicas, but there can be only 2',
    ],
    ['peers without certificates', /security:\n(?: {2}.*\n){4}/, '', 'cluster', 'security: is missing; it must name ca, cert and key'],
    ['itself as a peer', '10.0.0.3:7400]', '10.0.0.1:7400]', '10.0.0.1:7400]', 'peers[1]: is this node itself'],
    ['a peer twice', '10.0.0.3:7400]', '10.0.0.2:7400]', '10.0.0.2:7400]', "peers[1]: '10.0.0.2:7400' stands here a second time"],
    [
      'an address that nobody can reach',
      'listen: 10.0.0.1:7400',
      'listen: 0.0.0.0:7400',
      '0.0.0.0:7400',
      'node.listen: others can not connect to 0.0.0.0',
    ],
    [
      'data in the state directory',
      'data: /var/lib/holdfast/orders',
      'data: /var/lib/holdfast/.state/orders',
      '/var',
      'services.orders.postgres.data: /var/lib/holdfast/.state/orders and /var/lib/holdfast/.state of node.state lie within',
    ],
    [
      'data around the state directory',
      'data: /var/lib/holdfast/orders',
      'data: /var/lib/holdfast',
      '/var',
      'services.orders.postgres.data: ',
    ],
    [
      'a drill of an unknown service',
      'restore: orders',
      'restore: order',
      'order,',
      "drills[0].restore: there is no service 'order'; did you mean 'orders'?",
    ],
    [
      'a drill that checks nothing',
      'checks: [amcheck, { sql: "select 1" }]',
      'checks: []',
      '[] }',
      'drills[0].checks: must name at least one check',
    ],
    ['a time that is none', 'at: random', 'at: sometimes', 'sometimes', 'drills[0].at: must be latest, random or a time'],
    ['broken YAML', 'peers: [', 'peers: [[', 'services', ': not valid YAML'],
    ['a key twice', 'cluster: shop', 'clus: shop\nclus: shop', 'clus: shop\nnode', ': not valid YAML: Map keys must be unique'],
  ])('%s', (_, from, to, needle, expected) => {
    const text = changed(from, to);
    const before = text.slice(0, text.indexOf(needle) + /^ */.exec(needle)![0].length).split('\n');
    expect(problemsOf(text).join('\n')).toContain(`${before.length}:${before.at(-1)!.length + 1} ${expected}`);
  });

  test('all at once, in the order of the file', () => {
    const lines = problemsOf(changed('tier: 1', 'teir: 1').replace('ttl: 10s', 'ttl: 10').replace('cluster: shop', 'cluster: Shop'));
    expect(lines.map((line) => line.split(' ')[1])).toEqual(['cluster:', 'coordination.ttl:', 'services.orders.teir:']);
  });

  test('a secret that stands in the file is refused and not repeated', () => {
    const lines = problemsOf(changed('"${ANN}"', 'hunter2hunter2'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('${NAME}');
    expect(lines[0]).not.toContain('hunter2');
  });
});

describe('secrets', () => {
  const single =
    'cluster: shop\nnode: { name: db1, listen: 127.0.0.1:7400 }\nsecurity: { ca: ca.pem, cert: db1.pem, key: db1.key }\n' +
    'coordination: { etcd: { endpoints: ["http://127.0.0.1:2379"], password: SECRET, username: x } }\n';
  const load = (source: string, environment: Record<string, string> = {}) =>
    loadConfig(write(single.replace('SECRET', source)), { clock: createClock(), environment }).coordination.etcd;

  test('come from the environment', () => {
    expect(load('"${ETCD}"', { ETCD: 'from the environment' })?.password?.reveal()).toBe('from the environment');
    expect(() => load('"${ETCD}"')).toThrow('the environment has no ETCD');
  });

  test('come from a file beside the configuration, without its last newline', () => {
    chmodSync(write('from a file\n', 'secret'), 0o600);
    expect(load('"file:secret"')?.password?.reveal()).toBe('from a file');
  });

  test('are refused when everybody could read them', () => {
    chmodSync(write('from a file\n', 'open'), 0o644);
    expect(() => load('"file:open"')).toThrow(/open is open to everybody: chmod o= /);
    expect(() => load('"file:absent"')).toThrow('can not be read');
    chmodSync(write('\n', 'empty'), 0o600);
    expect(() => load('"file:empty"')).toThrow('is empty');
  });

  test.each(['short', 'with blanks in the middle of it'])('that are tokens must be hard to guess and fit into a header: %s', (token) => {
    const text = single
      .replace('db1.key }', 'db1.key, tokens: [{ name: ann, role: admin, secret: "${ANN}" }] }')
      .replace(', password: SECRET, username: x', '');
    const loadWith = (ANN: string) => loadConfig(write(text), { clock: createClock(), environment: { ANN } });
    expect(loadWith('0123456789abcdef0123').security.tokens).toHaveLength(1);
    expect(() => loadWith(token)).toThrow(/security.tokens\[0\].secret: must have 20 to 1024 printable characters/);
    expect(() => loadWith(token)).not.toThrow(token);
  });

  test('never show', () => {
    const password = load('"${ETCD}"', { ETCD: 'hidden' })?.password;
    expect(`${String(password)} ${JSON.stringify({ password })}`).toBe('${ETCD} {"password":"${ETCD}"}');
  });
});

test('a file that everybody may change is refused', () => {
  const file = write(complete, 'open.yaml');
  chmodSync(file, 0o666);
  expect(() => checkText(file)).toThrow(expect.objectContaining({ code: 'CONFIG_UNREADABLE' }));
  expect(() => checkText(join(directory, 'absent.yaml'))).toThrow(expect.objectContaining({ code: 'CONFIG_UNREADABLE' }));
});

test('a pipe is refused rather than waited for', () => {
  const pipe = join(directory, 'pipe');
  execFileSync('mkfifo', ['-m', '600', pipe]);
  expect(() => checkText(pipe)).toThrow('is no regular file');
});

test('what is nested without end is refused, with a bounded number of lines', () => {
  const refused = (): unknown => checkText(write('['.repeat(100_000)));
  expect(refused).toThrow(ConfigError);
  expect(refused).toThrow(/… and \d+ more/);
});

test('the file is the named one, else that of the environment', () => {
  expect(findConfig('a.yaml', { HOLDFAST_CONFIG: 'b.yaml' })).toBe('a.yaml');
  expect(findConfig(undefined, { HOLDFAST_CONFIG: 'b.yaml' })).toBe('b.yaml');
});

test('aliases that multiply are refused, not expanded', () => {
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    ...'bcdefgh'.split('').map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[index]}`).join(',')}]`),
  ].join('\n');
  expect(problemsOf(bomb).join()).toContain('not valid YAML');
});

test('Safety: whatever stands in the file, it is either read or refused with a place. Method: values of the example replaced by any other', () => {
  const document = parse(complete) as Record<string, unknown>;
  const spots = [...paths(document, [])];
  fc.assert(
    fc.property(fc.constantFrom(...spots), fc.jsonValue({ maxDepth: 2 }), (spot, value) => {
      const copy = structuredClone(document);
      spot.slice(0, -1).reduce((at, key) => at[key] as Record<string, unknown>, copy)[spot.at(-1)!] = value;
      try {
        checkText(write(stringify(copy), 'fuzz.yaml'));
      } catch (error) {
        expect(error).toBeInstanceOf(HoldfastError);
        for (const { line, column, message } of error instanceof ConfigError ? error.problems : []) {
          expect(line).toBeGreaterThan(0);
          expect(column).toBeGreaterThan(0);
          expect(message).not.toBe('');
        }
      }
    }),
    { numRuns: 300 },
  );
});

function* paths(value: unknown, path: readonly string[]): Iterable<readonly string[]> {
  if (path.length > 0) yield path;
  if (typeof value === 'object' && value !== null) for (const [key, member] of Object.entries(value)) yield* paths(member, [...path, key]);
}
