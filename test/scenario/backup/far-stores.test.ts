import { randomBytes } from 'node:crypto';
import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClock } from '../../../src/runtime/clock.ts';
import { holdfast } from '../demo-process.ts';
import { Buckets } from '../storage/buckets.ts';
import { Radosgw, type S3User, whyNoRadosgw } from '../storage/radosgw.ts';
import { Sshd, whyNoSshd } from '../storage/sshd.ts';
import { contents } from './contents.ts';
import { hasRestic, Restic } from './restic.ts';

const why = whyNoRadosgw() ?? whyNoSshd() ?? (hasRestic() ? undefined : 'needs restic');
const clock = createClock();
const password = 'correct horse';
const mebibyte = 1024 * 1024;

describe.skipIf(why !== undefined)(`repositories in a bucket and on an SSH server${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  const resources = new AsyncDisposableStack();
  let scratch: string;
  let source: string;
  let config: string;
  let store: Radosgw;
  let owner: S3User;
  let host: Sshd;
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'holdfast-far-'));
    resources.defer(() => rm(scratch, { recursive: true, force: true }));
    [store, host] = await Promise.all([Radosgw.start(clock), Sshd.start(clock)]);
    resources.use(store);
    resources.use(host);
    owner = await store.addUser('owner');
    const buckets = resources.use(new Buckets(store, owner));
    for (const bucket of ['copies', 'part']) await buckets.make(bucket);
    for (const name of ['disk', 'source/below']) await mkdir(join(scratch, name), { recursive: true });
    for (const name of ['part']) await mkdir(host.path(name));
    await writeFile(host.path('known_hosts'), await host.knownHosts());
    source = join(scratch, 'source');
    await fill();
    config = join(scratch, 'holdfast.yaml');
    await writeFile(join(scratch, 'password'), password, { mode: 0o600 });
    await writeFile(join(scratch, 'secret'), owner.secretKey, { mode: 0o600 });
    const s3 = { endpoint: store.endpoint, accessKey: `file:${join(scratch, 'access')}`, secretKey: `file:${join(scratch, 'secret')}` };
    await writeFile(join(scratch, 'access'), owner.accessKey, { mode: 0o600 });
    const sftp = { host: '127.0.0.1', port: host.port, user: host.user, key: host.path('user'), knownHosts: host.path('known_hosts') };
    const locations = {
      cloud: { s3: { ...s3, bucket: 'copies', prefix: 'files' } },
      vault: { sftp: { ...sftp, path: host.path('vault') } },
      disk: { path: join(scratch, 'disk') },
      bucket: { s3: { ...s3, bucket: 'part' } },
      shelf: { sftp: { ...sftp, path: host.path('part') } },
      everywhere: { parity: { data: 2, parity: 1, over: ['disk', 'bucket', 'shelf'] } },
    };
    await writeFile(config, JSON.stringify({ locations }), { mode: 0o600 });
  });
  afterAll(() => resources.disposeAsync());

  /** Of several packs: bytes that can not be compressed, text, many small files. */
  const fill = async (): Promise<void> => {
    await writeFile(join(source, 'noise'), randomBytes(40 * mebibyte));
    await writeFile(join(source, 'text'), 'the same line again and again\n'.repeat(300_000));
    for (let number = 0; number < 300; number += 1) await writeFile(join(source, 'below', `${number}`), randomBytes(1 + number * 40));
  };
  const command = async (location: string, ...args: readonly string[]): Promise<string> => {
    const [name, ...rest] = args;
    const where = ['--repo', location, '--config', config, '--password-file', join(scratch, 'password')];
    const { code, stdout, stderr } = await holdfast([name!, ...where, ...rest]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    return stdout;
  };
  const expectRestored = async (location: string): Promise<void> => {
    const target = join(scratch, `from-${location}`);
    await command(location, 'restore-files', 'latest', '--target', target);
    expect(await contents(join(target, source))).toEqual(await contents(source));
    await rm(target, { recursive: true });
  };
  const resticOf = (location: string): Restic => {
    if (location === 'cloud') return new Restic(`s3:${store.endpoint}/copies/files`, password, ['-o', 's3.bucket-lookup=path']);
    const ssh = ['ssh', '-p', host.port, '-i', host.path('user'), '-o', `UserKnownHostsFile=${host.path('known_hosts')}`, '127.0.0.1'];
    return new Restic(`sftp:127.0.0.1:${host.path('vault')}`, password, ['-o', `sftp.command=${ssh.join(' ')} -s sftp`]);
  };
  const environment = (): Record<string, string> => ({ AWS_ACCESS_KEY_ID: owner.accessKey, AWS_SECRET_ACCESS_KEY: owner.secretKey });

  test.each(['cloud', 'vault'])('%s: made, changed, thinned out and restored; restic reads it there, and adds to it', async (location) => {
    const restic = resticOf(location);
    const run = (...args: string[]): string => {
      const { status, stdout, stderr } = restic.try(args, { environment: environment() });
      expect({ status, stderr }).toMatchObject({ status: 0 });
      return stdout;
    };
    await command(location, 'init');
    await command(location, 'backup', source);
    await appendFile(join(source, 'text'), `and another one for ${location}\n`);
    await command(location, 'backup', source);
    await command(location, 'check', '--read-data');
    await expectRestored(location);

    expect(run('check', '--read-data')).toContain('no errors were found');
    const target = join(scratch, `restic-${location}`);
    run('restore', 'latest', '--target', target);
    expect(await contents(join(target, source))).toEqual(await contents(source));
    await rm(target, { recursive: true });

    await writeFile(join(source, 'below', 'late'), randomBytes(mebibyte));
    run('backup', source);
    await command(location, 'forget', '--keep-last', '1', '--prune');
    await command(location, 'check', '--read-data');
    await expectRestored(location);
    expect(JSON.parse(run('snapshots', '--json'))).toHaveLength(1);
    expect(run('check', '--read-data')).toContain('no errors were found');
  });

  test('in parity over a disk, a bucket and an SSH server: each of them may be away', async () => {
    await command('everywhere', 'init');
    await command('everywhere', 'backup', source);
    await command('everywhere', 'check', '--read-data');
    await host.kill();
    await appendFile(join(source, 'text'), 'while the server is away\n');
    await command('everywhere', 'backup', source);
    await command('everywhere', 'check', '--read-data');
    await expectRestored('everywhere');
    await host.restart();
  });
});
