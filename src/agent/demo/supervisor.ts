import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HoldfastError } from '../../core/errors.ts';
import type { Runtime } from '../../core/runtime.ts';
import type { DemoNode } from './layout.ts';

/** As a service manager would: an agent that ends is started again after this. */
const RESTART_MS = 500;
const RESTARTS_MAX = 100;
/** An agent gives its database half a minute to stop, then kills it: killed before that, it would leave it behind. */
const STOP_MS = 60_000;
/** How often an agent is started only to stop what another one has left. */
const STOP_STARTS_MAX = 2;

interface Agent {
  readonly node: DemoNode;
  child: ChildProcess | undefined;
  restarts: number;
  isOff: boolean;
}

/**
 * Keeps the agents of a demo running, as a service manager keeps one on each machine. Agents hold their standard input open to this process and
 * stop when it ends: a demo leaves nothing behind, even when it is killed.
 */
export class Supervisor implements AsyncDisposable {
  readonly #runtime: Runtime;
  readonly #program: readonly string[];
  readonly #agents: Agent[];
  #stopping = false;

  /** @param program how to run this program: interpreter and script */
  constructor(nodes: readonly DemoNode[], program: readonly string[], runtime: Runtime) {
    this.#runtime = runtime;
    this.#program = program;
    this.#agents = nodes.map((node) => ({ node, child: undefined, restarts: 0, isOff: false }));
  }

  async start(): Promise<void> {
    for (const agent of this.#agents) {
      await mkdir(dirname(agent.node.configFile), { recursive: true });
      this.#spawn(agent);
    }
  }

  /** As if nothing had power any more: every agent is killed, and not started again before `powerOn`. */
  async powerOff(): Promise<void> {
    for (const agent of this.#agents) agent.isOff = true;
    await Promise.all(this.#agents.map((agent) => this.#end(agent, (child) => child.kill('SIGKILL'))));
  }

  powerOn(): void {
    for (const agent of this.#agents) {
      agent.isOff = false;
      if (agent.child === undefined) this.#spawn(agent);
    }
  }

  /** @throws DEMO_AGENT_FAILED when an agent can not be kept running */
  assertRunning(): void {
    const failed = this.#agents.find((agent) => agent.restarts >= RESTARTS_MAX);
    if (failed === undefined) return;
    throw new HoldfastError('DEMO_AGENT_FAILED', `The agent of ${failed.node.name} does not stay up`, {
      hint: `See ${logOf(failed.node)}.`,
    });
  }

  #spawn(agent: Agent): void {
    const [interpreter, ...script] = this.#program;
    const child = spawn(interpreter!, [...script, 'agent', '--config', agent.node.configFile, '--stop-with-stdin'], {
      stdio: ['pipe', 'pipe', 'pipe'],
      // Its own group: Ctrl-C on the terminal reaches the demo alone, which then stops the agents in order.
      detached: true,
    });
    agent.child = child;
    const log = createWriteStream(logOf(agent.node), { flags: 'a', mode: 0o600 });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    child.stdin.on('error', () => {});
    child.once('error', () => {});
    child.once('close', () => {
      log.end();
      agent.child = undefined;
      if (this.#stopping || agent.isOff || agent.restarts >= RESTARTS_MAX) return;
      agent.restarts++;
      this.#runtime.clock.after(RESTART_MS, () => {
        if (!this.#stopping && !agent.isOff && agent.child === undefined) this.#spawn(agent);
      });
    });
  }

  /** Stops all agents and, through them, all that they started; returns when they are gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#agents.map((agent) => this.#stop(agent)));
  }

  /** What one that has died, or dies now, has left behind, another one finds and stops. */
  async #stop(agent: Agent): Promise<void> {
    for (let starts = 0; !agent.isOff; starts++) {
      // Not by a signal: one that is just starting would die of it.
      if (agent.child !== undefined && (await this.#end(agent, (child) => child.stdin?.end())) === 0) return;
      if (starts === STOP_STARTS_MAX) return;
      this.#spawn(agent);
    }
  }

  /** @returns its exit code; null: it was killed */
  async #end(agent: Agent, by: (child: ChildProcess) => void): Promise<number | null> {
    const { child } = agent;
    if (child === undefined) return null;
    const gone = new Promise<number | null>((resolve) => child.once('close', resolve));
    // A stopped process (a fault of the demo) takes signals only once it goes on.
    child.kill('SIGCONT');
    by(child);
    const late = this.#runtime.clock.after(STOP_MS, () => child.kill('SIGKILL'));
    const code = await gone;
    late[Symbol.dispose]();
    return code;
  }
}

export function logOf(node: DemoNode): string {
  return join(dirname(node.configFile), 'agent.log');
}
