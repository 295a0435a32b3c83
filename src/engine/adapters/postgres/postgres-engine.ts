import { rm } from 'node:fs/promises';
import type {
  Acknowledgement,
  Engine,
  EngineCapabilities,
  EngineContext,
  EngineCredentials,
  EngineObservation,
  GuardTarget,
  MemberAddress,
  Position,
  RestoreSource,
} from '../../engine.ts';
import type { DataCopies } from '../../../core/data-copies.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { MachineRuntime } from '../../../core/runtime.ts';
import { join } from 'node:path';
import { acknowledgementInForce, changeAcknowledgement } from './acknowledge.ts';
import { openBinaries } from './binaries.ts';
import { PostgresBase } from './base-read.ts';
import { bootstrap } from './bootstrap.ts';
import type { PostgresConfig } from './config.ts';
import { readControlFile } from './control-file.ts';
import { CredentialVault } from './credentials.ts';
import { examineData, moveAside } from './data-directory.ts';
import { follow } from './follow.ts';
import { freeze } from './freeze.ts';
import { bootstrapFromCopies, leaveForCopies, provisionFromCopies } from './from-copies.ts';
import { Inspector } from './inspect.ts';
import type { Member } from './member.ts';
import { Sessions } from './sessions.ts';
import { openPlaces } from './places.ts';
import { promote, startPrimary } from './promote.ts';
import { provision } from './provision.ts';
import { askForTls } from './reachable.ts';
import { rejoin } from './rejoin.ts';
import { removePlan } from './rejoin-plan.ts';
import { retain, retainedForJournal, type Retained } from './retain.ts';
import { Server } from './server.ts';
import { moveTablespacesAside } from './tablespaces.ts';
import { endOfWal } from './wal-end.ts';
import { PostgresWal } from './wal-source.ts';

/** A checkpoint of all memory may take a slow disk long. */
const checkpointMsMax = 300_000;
/** How often it is looked whether a server that ends has written its last checkpoint. */
const finalPollMs = 2;

/** PostgreSQL as an engine: what it promises is said in engine.ts, how it keeps it in the modules that this one joins. */
export class PostgresEngine implements Engine {
  readonly capabilities: EngineCapabilities = { kind: 'postgres', replicated: true };
  readonly address: MemberAddress;
  readonly wal: PostgresWal;
  readonly base: PostgresBase;
  readonly #member: Member;
  readonly #inspector: Inspector;
  /** What commits were last to wait for, beside the journal. */
  #asked: Acknowledgement | null | undefined;

  private constructor(member: Member) {
    this.#member = member;
    this.#inspector = new Inspector(member);
    this.address = { node: member.context.node, ...(member.config.advertise ?? member.config.listen) };
    this.wal = new PostgresWal(member, this.address);
    this.base = new PostgresBase(member);
  }

  static async open(config: PostgresConfig, context: EngineContext, runtime: MachineRuntime): Promise<PostgresEngine> {
    const places = await openPlaces(config.data, context);
    const binaries = await openBinaries(config.bin, context.account, runtime.processes);
    const vault = new CredentialVault(places.credentials);
    const { host, port } = config.listen;
    const server = new Server({ context, places, binaries, runtime, port, listen: `${host}:${port}` });
    const sessions = new Sessions({ places, vault, port, clock: runtime.clock, onEnd: () => server.check() });
    return new PostgresEngine({
      config,
      context,
      runtime,
      binaries,
      places,
      vault,
      server,
      sessions,
      journalCounts: context.journal?.sync === true,
    });
  }

  async adopt({ signal }: { signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted();
    const adopted = this.#member.server.adopt();
    // Opened now, so that its end can tell of the server's.
    if (adopted !== undefined) await this.#member.sessions.shared('inspecting', { signal }).catch(() => undefined);
    signal.throwIfAborted();
  }

  async inspect({ signal }: { signal: AbortSignal }): Promise<EngineObservation> {
    signal.throwIfAborted();
    return await this.#inspector.inspect(signal);
  }

  onDeath(listener: () => void): Disposable {
    return this.#member.server.onDeath(listener);
  }

  async bootstrap({ restore, signal }: { restore?: RestoreSource; signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted();
    await (restore === undefined ? bootstrap(this.#member, signal) : bootstrapFromCopies(this.#member, restore, signal));
  }

  async provision(from: MemberAddress, { copies, signal }: { copies?: DataCopies; signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted();
    await (copies === undefined ? provision(this.#member, from, signal) : provisionFromCopies(this.#member, from, copies, signal));
  }

  async follow(upstream: MemberAddress, { signal }: { signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted();
    await follow(this.#member, upstream, signal);
  }

  async rejoin(upstream: MemberAddress, { signal }: { signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted();
    await rejoin(this.#member, upstream, signal);
  }

  async freeze({ signal }: { signal: AbortSignal }): Promise<Position> {
    signal.throwIfAborted();
    return await freeze(this.#member, signal);
  }

  async promote(options: { acknowledge: Acknowledgement | null; timeline?: number; signal: AbortSignal }): Promise<Position> {
    options.signal.throwIfAborted();
    this.#asked = options.acknowledge;
    const position = await promote(this.#member, options.acknowledge, options.timeline ?? 0, options.signal);
    this.#inspector.ruleInMotion = false;
    return position;
  }

  async startPrimary({ acknowledge, signal }: { acknowledge: Acknowledgement | null; signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted();
    this.#asked = acknowledge;
    await startPrimary(this.#member, acknowledge, signal);
    this.#inspector.ruleInMotion = false;
  }

  async acknowledge(value: Acknowledgement | null, { signal }: { signal: AbortSignal }): Promise<bigint> {
    signal.throwIfAborted();
    this.#inspector.ruleInMotion = true;
    this.#asked = value;
    const bound = await changeAcknowledgement(this.#member, value, signal);
    this.#inspector.ruleInMotion = false;
    return bound;
  }

  async countJournal(counts: boolean, { signal }: { signal: AbortSignal }): Promise<bigint> {
    signal.throwIfAborted();
    this.#member.journalCounts = counts;
    const asked = this.#asked === undefined ? await acknowledgementInForce(this.#member, signal) : this.#asked;
    return await this.acknowledge(asked, { signal });
  }

  async checkpoint({ signal }: { signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted();
    await using session = await this.#member.sessions.open({ signal });
    await session.query('checkpoint', { timeoutMs: checkpointMsMax, signal });
  }

  async stop(
    mode: 'clean' | 'immediate',
    { timeoutMs, onFinal }: { timeoutMs: number; onFinal?: (position: Position) => void },
  ): Promise<Position | undefined> {
    const { server, places } = this.#member;
    const stopping = mode === 'clean' ? server.stopFast(timeoutMs) : undefined;
    if (stopping !== undefined && onFinal !== undefined) void this.#tellFinal(stopping, onFinal);
    if (stopping === undefined || !(await stopping)) {
      await server.killAll();
      return undefined;
    }
    // Whatever the main process left behind.
    await server.killAll();
    const found = await examineData(places, this.#member.context, this.#member.binaries.version);
    const isClean = found.state === 'present' && (found.control.state === 'shut down' || found.control.state === 'shut down in recovery');
    return isClean ? await endOfWal(places.data, found.control) : undefined;
  }

  /** A server's last checkpoint, after which its control file says that it is shut down, ends its WAL; then it waits for its replicas. */
  async #tellFinal(stopping: Promise<boolean>, onFinal: (position: Position) => void): Promise<void> {
    const { data } = this.#member.places;
    const ended = new AbortController();
    const end = (): void => ended.abort();
    stopping.then(end, end);
    while (!ended.signal.aborted) {
      try {
        const control = await readControlFile(data);
        if (control.state === 'shut down') return onFinal(await endOfWal(data, control));
      } catch {
        // Whoever waits for the end is told what is wrong.
      }
      await this.#member.runtime.clock.sleep(finalPollMs);
    }
  }

  async setAside(reason: string, { toReuse = false }: { readonly toReuse?: boolean } = {}): Promise<string> {
    const { server, places, runtime } = this.#member;
    if (server.adopt() !== undefined)
      throw new HoldfastError('ENGINE_RUNNING', `'${places.data}' is in use by a running server`, { hint: 'Stop it first.' });
    const found = await examineData(places, this.#member.context, this.#member.binaries.version);
    if (found.state === 'foreign') throw found.failure;
    if (found.state === 'absent') throw new HoldfastError('ENGINE_DATA_ABSENT', `'${places.data}' has no data to move aside`);
    const target = toReuse ? await leaveForCopies(places.data) : await moveAside(places.data, reason, runtime.clock.wallMs());
    if (!toReuse) await moveTablespacesAside(target);
    await removePlan(this.#member);
    return target;
  }

  async retain(members: readonly Retained[], { journal, signal }: { journal?: bigint; signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted();
    await retain(this.#member, [...members, ...retainedForJournal(this.#member, journal)], signal);
  }

  async reachable(member: MemberAddress, { timeoutMs }: { timeoutMs: number }): Promise<'answers' | 'refused' | 'silent'> {
    const answer = await askForTls(member, this.#member.runtime.clock, timeoutMs);
    return answer === 'refused' || answer === 'silent' ? answer : 'answers';
  }

  async credentials(): Promise<EngineCredentials | undefined> {
    return await this.#member.vault.read();
  }

  async acceptCredentials(credentials: EngineCredentials): Promise<void> {
    await this.#member.vault.write(credentials);
  }

  guardTarget(): GuardTarget {
    const { data } = this.#member.places;
    return { by: 'directory', directory: data, mainPidFile: join(data, 'postmaster.pid') };
  }

  /** A running server goes on, for the next agent to adopt. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { server, sessions, places } = this.#member;
    const running = server.main !== undefined;
    server.release();
    await sessions[Symbol.asyncDispose]();
    if (!running) await rm(places.run, { recursive: true, force: true });
  }
}
