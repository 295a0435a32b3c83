import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createAuthority, issueNodeCertificate } from '../../src/agent/certificates.ts';
import { createApi } from '../../src/api/server.ts';
import { TestControl } from '../../src/api/testing/control.ts';
import { healthyService } from '../../src/cli/testing/status.ts';
import { createClock } from '../../src/runtime/index.ts';

// A terminal of its own comes from util-linux's script(1); other programs of that name have no --version.
const hasScript = spawnSync('script', ['--version']).stdout?.includes('util-linux') ?? false;
if (!hasScript && process.env['HOLDFAST_REQUIRE'] === 'all') throw new Error('script (util-linux) is absent, and HOLDFAST_REQUIRE=all');

/** Colours and cursor movements. */
const controls = new RegExp(`${String.fromCodePoint(27)}\\[[?0-9;]*[A-Za-z]`, 'g');
const program = new URL('../../bin/holdfast.mjs', import.meta.url).pathname;
const clock = createClock();

describe.skipIf(!hasScript)('commands on a terminal (needs script of util-linux)', () => {
  let resources: AsyncDisposableStack;
  let control: TestControl;
  let address: string;
  beforeEach(async () => {
    resources = new AsyncDisposableStack();
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-terminal-'));
    resources.defer(() => rm(directory, { recursive: true }));
    const authority = createAuthority({ cluster: 'shop', wallMs: clock.wallMs(), days: 1 });
    const { certificate, key } = issueNodeCertificate(authority, { node: 'db1', hosts: [], wallMs: clock.wallMs(), days: 1 });
    await writeFile(join(directory, 'ca.pem'), authority.certificate);
    await writeFile(join(directory, 'token'), 'admin-admin-admin-admin', { mode: 0o600 });
    control = new TestControl();
    control.services = [healthyService()];
    const api = resources.use(
      await createApi(control, { tokens: [{ name: 'boss', role: 'admin', secret: 'admin-admin-admin-admin' }], readOpen: true, clock }),
    );
    const server = createServer({ cert: certificate, key }, api.handle);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    resources.defer(() => {
      server.close();
      server.closeAllConnections();
    });
    address = `--url https://127.0.0.1:${(server.address() as AddressInfo).port} --ca ${join(directory, 'ca.pem')} --token-file ${join(directory, 'token')}`;
  });
  afterEach(() => resources.disposeAsync());

  /** Runs a command line on a terminal of 80 × 24. */
  function onTerminal(words: string): { type: (keys: string) => void; seen: () => string; ended: Promise<number | null> } {
    const command = `stty cols 80 rows 24; exec ${process.execPath} ${program} ${words} ${address}`;
    const child = spawn('script', ['-qec', command, '/dev/null'], { env: { ...process.env, TERM: 'xterm-256color', NO_COLOR: '' } });
    resources.defer(() => void child.kill('SIGKILL'));
    let seen = '';
    child.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString()));
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    return { type: (keys) => void child.stdin.write(keys), seen: () => seen, ended };
  }

  const options = { timeout: 15_000, interval: 50 };

  test.each([['q'], ['\u0003']])('status --watch redraws, shows what changed, and leaves the terminal as it was on %j', async (key) => {
    const terminal = onTerminal('status --watch --interval 200ms');
    await vi.waitFor(() => expect(terminal.seen()).toContain('leader \u001b[32mdb1'), options);
    expect(terminal.seen()).toContain('\u001b[?1049h\u001b[?25l\u001b[H');
    control.services = [healthyService({ leader: 'db2', term: 8, warnings: ['db1 is not reachable.'] }, { db1: { state: 'unreachable' } })];
    await vi.waitFor(() => expect(terminal.seen()).toContain('orders: db2 leads, term 8, instead of db1'), options);
    expect(terminal.seen()).toContain('\u001b[7munreachable');
    terminal.type(key);
    expect(await terminal.ended).toBe(1);
    expect(terminal.seen().trimEnd().endsWith('\u001b[?25h\u001b[?1049l')).toBe(true);
    const frames = terminal.seen().split('\u001b[H').slice(1);
    expect(frames.length).toBeGreaterThanOrEqual(2);
    for (const frame of frames) {
      const lines = frame.replaceAll(controls, '').trimEnd().split(/\r+\n/);
      expect(lines.length).toBeLessThanOrEqual(24);
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    }
  });

  test('reinit waits for the name of the member, and does nothing on another word', async () => {
    const wrong = onTerminal('reinit orders db3');
    await vi.waitFor(() => expect(wrong.seen()).toContain('Type db3 to go on: '), options);
    wrong.type('yes\r');
    expect(await wrong.ended).toBe(1);
    expect(wrong.seen()).toContain('ORDER_DECLINED');
    expect(control.commands).toEqual([]);
    const right = onTerminal('reinit orders db3');
    await vi.waitFor(() => expect(right.seen()).toContain('Type db3 to go on: '), options);
    right.type('db3\r');
    expect(await right.ended).toBe(0);
    expect(control.commands).toEqual([['reinit', 'orders', { node: 'db3' }]]);
  });

  test('failover asks, and Ctrl-C is a no', async () => {
    const declined = onTerminal('failover orders');
    await vi.waitFor(() => expect(declined.seen()).toContain('Go on? [y/N] '), options);
    declined.type('\u0003');
    expect(await declined.ended).toBe(1);
    expect(control.commands).toEqual([]);
    const agreed = onTerminal('failover orders');
    await vi.waitFor(() => expect(agreed.seen()).toContain('Go on? [y/N] '), options);
    agreed.type('y\r');
    expect(await agreed.ended).toBe(0);
    expect(control.commands).toEqual([['failover', 'orders', {}]]);
  });
});
