import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ProcessIdentity } from '../core/processes.ts';
import type { MachineRuntime } from '../core/runtime.ts';
import type { Engine, Position } from './engine.ts';

/** Real members to test. */
export interface EngineHarness {
  readonly runtime: MachineRuntime;
  /** Whether its members hold replicated data, as `capabilities` will say. */
  readonly replicated: boolean;
  start(): Promise<void>;
  /** Removes everything. All engines are disposed of by then. */
  stop(): Promise<void>;
  /** A new member, without data. */
  open(): Promise<Engine>;
  /** Another engine object for the same member, as a restarted agent opens it. */
  reopen(engine: Engine): Promise<Engine>;
}

/** How long a test waits for what should take milliseconds. */
const patienceMs = 10_000;
const { signal } = new AbortController();

/** What every engine must do, whatever it runs. Run by each adapter's tests on the real thing. */
export function describeEngineContract(name: string, harness: EngineHarness): void {
  describe(`${name} keeps the contract of an engine`, () => {
    let engine: Engine;
    const opened: Engine[] = [];
    beforeAll(() => harness.start());
    afterAll(() => harness.stop());
    beforeEach(async () => {
      engine = await harness.open();
      opened.push(engine);
    });
    afterEach(async () => {
      await opened[0]?.stop('immediate', { timeoutMs: 0 });
      for (const one of opened.splice(0)) await one[Symbol.asyncDispose]();
    });

    const started = async (): Promise<number> => {
      if (harness.replicated) await engine.bootstrap({ signal });
      await engine.startPrimary({ acknowledge: null, signal });
      return (await engine.inspect({ signal })).pid!;
    };
    const reopened = async (): Promise<Engine> => {
      const again = await harness.reopen(engine);
      opened.push(again);
      return again;
    };
    const identityOf = (pid: number): ProcessIdentity => {
      const identity = harness.runtime.processes.identify(pid);
      if (identity === undefined) throw new Error(`there is no process ${pid}`);
      return identity;
    };
    const tree = (pid: number): ProcessIdentity[] => {
      const target = engine.guardTarget();
      const { processes } = harness.runtime;
      return target.by === 'directory' ? processes.withWorkingDirectory(target.directory) : processes.inSession(pid);
    };
    const died = (listening: Engine): Promise<void> => {
      const { promise, resolve } = Promise.withResolvers<void>();
      listening.onDeath(resolve);
      return promise;
    };
    const soon = async (what: string, promise: Promise<void>): Promise<void> => {
      const late = harness.runtime.clock.sleep(patienceMs).then(() => Promise.reject(new Error(`${what}: not within ${patienceMs} ms`)));
      await Promise.race([promise, late]);
    };

    test('a new member neither runs nor answers, and says so', async () => {
      const seen = await engine.inspect({ signal });
      expect(seen).toMatchObject({ running: false, accepting: false, role: 'none', replicas: [] });
      if (harness.replicated) expect(seen.data).toBe('absent');
      expect(await engine.reachable(engine.address, { timeoutMs: 1000 })).toBe('refused');
      expect(engine.capabilities.replicated).toBe(harness.replicated);
    });

    test('stopping what does not run is no error', async () => {
      await engine.stop('immediate', { timeoutMs: 0 });
      await engine.stop('clean', { timeoutMs: 1000 });
    });

    test("a started primary is seen as one, by its process and on the clients' path", async () => {
      const pid = await started();
      const seen = await engine.inspect({ signal });
      expect(seen).toMatchObject({ data: 'present', running: true, accepting: true, role: 'primary', pid });
      expect(identityOf(pid).pid).toBe(pid);
      expect(await engine.reachable(engine.address, { timeoutMs: 2000 })).toBe('answers');
      expect(tree(pid).map((identity) => identity.pid)).toContain(pid);
    });

    test('starting it again changes nothing', async () => {
      const pid = await started();
      await engine.startPrimary({ acknowledge: null, signal });
      expect((await engine.inspect({ signal })).pid).toBe(pid);
    });

    test('its death is told, whoever caused it', async () => {
      const pid = await started();
      const death = died(engine);
      harness.runtime.processes.kill(identityOf(pid), 'SIGKILL');
      await soon('the death', death);
      expect((await engine.inspect({ signal })).running).toBe(false);
    });

    test('a listener that was let go hears nothing', async () => {
      await started();
      let heard = 0;
      engine.onDeath(() => (heard += 1))[Symbol.dispose]();
      const death = died(engine);
      await engine.stop('immediate', { timeoutMs: 0 });
      await soon('the death', death);
      expect(heard).toBe(0);
    });

    test.each(['immediate', 'clean'] as const)('after a stop (%s) no process of it is left, and it starts again', async (mode) => {
      const pid = await started();
      const before = tree(pid);
      await engine.stop(mode, { timeoutMs: patienceMs });
      expect(before.filter((identity) => harness.runtime.processes.isAlive(identity))).toEqual([]);
      expect(tree(pid)).toEqual([]);
      expect(await engine.inspect({ signal })).toMatchObject({ running: false, role: 'none' });
      await engine.startPrimary({ acknowledge: null, signal });
      expect(await engine.inspect({ signal })).toMatchObject({ running: true, role: 'primary' });
    });

    test('a clean stop tells the position at which it ends, if it is replicated, before it has ended', async () => {
      await started();
      const told: Position[] = [];
      const position = await engine.stop('clean', { timeoutMs: patienceMs, onFinal: (final) => told.push(final) });
      expect(position).toBeDefined();
      expect(told).toEqual(harness.replicated ? [position] : []);
    });

    test('a clean stop of what stands still ends it all the same', async () => {
      const pid = await started();
      const before = tree(pid);
      harness.runtime.processes.kill(identityOf(pid), 'SIGSTOP');
      await engine.stop('clean', { timeoutMs: 200 });
      expect(before.filter((identity) => harness.runtime.processes.isAlive(identity))).toEqual([]);
    });

    test('it outlives its engine object, and another takes it over and learns of its death', async () => {
      const pid = await started();
      await engine[Symbol.asyncDispose]();
      expect(harness.runtime.processes.identify(pid)).toBeDefined();
      const next = await reopened();
      await next.adopt({ signal });
      expect(await next.inspect({ signal })).toMatchObject({ running: true, accepting: true, role: 'primary', pid });
      const death = died(next);
      harness.runtime.processes.kill(identityOf(pid), 'SIGKILL');
      await soon('the death', death);
    });

    test('adopting starts nothing', async () => {
      await engine.adopt({ signal });
      expect((await engine.inspect({ signal })).running).toBe(false);
    });

    test('an aborted signal ends a command with its reason', async () => {
      const reason = new Error('enough');
      await expect(engine.inspect({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      if (harness.replicated) await expect(engine.bootstrap({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    });

    if (!harness.replicated) return;

    test('a second bootstrap is refused and harms nothing', async () => {
      await engine.bootstrap({ signal });
      const { systemId } = await engine.inspect({ signal });
      await expect(engine.bootstrap({ signal })).rejects.toMatchObject({ code: 'ENGINE_DATA_PRESENT' });
      await expect(engine.provision(engine.address, { signal })).rejects.toMatchObject({ code: 'ENGINE_DATA_PRESENT' });
      expect((await engine.inspect({ signal })).systemId).toBe(systemId);
    });

    test('data moved aside is gone from here, and whole there', async () => {
      await engine.bootstrap({ signal });
      const where = await engine.setAside('a test: of ../odd names');
      expect(where).toMatch(/\.aside-\d{8}T\d{6}Z-a-test-of-odd-names$/);
      expect((await engine.inspect({ signal })).data).toBe('absent');
      await engine.bootstrap({ signal });
      expect((await engine.inspect({ signal })).data).toBe('present');
    });

    test('the credentials of one member serve another', async () => {
      expect(await engine.credentials()).toBeUndefined();
      await engine.bootstrap({ signal });
      const credentials = await engine.credentials();
      const other = await harness.open();
      await other.acceptCredentials(credentials!);
      expect(await other.credentials()).toEqual(credentials);
      await other[Symbol.asyncDispose]();
    });
  });
}
