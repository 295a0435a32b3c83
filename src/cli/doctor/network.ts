import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { listeners } from '../../config/cross-checks.ts';
import { formatPath } from '../../config/problem.ts';
import type { HoldfastConfig } from '../../config/schema.ts';
import type { Clock } from '../../core/clock.ts';
import type { Address } from '../../core/address.ts';
import { formatAddress } from '../../core/address.ts';
import { messageOf } from '../../core/errors.ts';
import type { Finding } from './finding.ts';
import { findingsOf } from './finding.ts';

const limitMs = 3_000;
/** HTTP dates have whole seconds. */
const clockStepMs = 1_000;
const clocksApartMsMax = 1_000;

/** Whether this node can listen where it should, and reach its peers, whose clocks should agree. */
export async function inspectNetwork(config: HoldfastConfig, clock: Clock): Promise<readonly Finding[]> {
  const own = await askAgent(config.node.listen, config, clock);
  const runs = !('problem' in own);
  const findings = await Promise.all([
    ...listeners(config).map(({ path, address }) => inspectPort(formatPath(path), address, runs)),
    ...config.peers.map((peer) => inspectPeer(peer, config, clock)),
  ]);
  return findings;
}

async function inspectPort(name: string, address: Address, agentRuns: boolean): Promise<Finding> {
  const { ok, fail } = findingsOf('ports');
  const what = `${formatAddress(address)} (${name})`;
  const problem = await tryToListen(address);
  if (problem === undefined) return ok(`${what} is free`);
  if (problem === 'EADDRINUSE')
    return agentRuns
      ? ok(`${what} is in use; the agent of this node runs`)
      : fail(`${what} is in use by another program`, `See ss -ltnp 'sport = :${address.port}', or choose another port.`);
  if (problem === 'EADDRNOTAVAIL' || problem === 'ENOTFOUND')
    return fail(`${what} is no address of this machine`, 'Name one that ip address shows, or 0.0.0.0.');
  return fail(`${what} can not be listened on: ${problem}`, 'Choose another port, or run the agent with the rights that it needs.');
}

/** The code of what keeps a server from listening there. */
function tryToListen({ host, port }: Address): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

async function inspectPeer(peer: Address, config: HoldfastConfig, clock: Clock): Promise<Finding> {
  const { ok, warn, fail } = findingsOf('peers');
  const answer = await askAgent(peer, config, clock);
  const who = formatAddress(peer);
  if ('problem' in answer) {
    const hint = answer.untrusted ? 'Both sides need certificates of the same CA.' : 'Start its agent; let its port pass the firewalls.';
    return answer.untrusted ? fail(`${who}: ${answer.problem}`, hint) : warn(`${who} does not answer: ${answer.problem}`, hint);
  }
  if (answer.clockApartMs > clocksApartMsMax) {
    return warn(
      `the clock of ${who} is at least ${(answer.clockApartMs / 1000).toFixed(1)} s apart`,
      'Keep all clocks right with chrony: logs, certificates and points in time rest on them.',
    );
  }
  return ok(`${who} answers in ${Math.round(answer.tookMs)} ms, its clock agrees`);
}

type Answer = { readonly tookMs: number; readonly clockApartMs: number } | { readonly problem: string; readonly untrusted: boolean };

/** What the agent at `address` says when asked whether it lives. */
function askAgent({ host, port }: Address, { security }: HoldfastConfig, clock: Clock): Promise<Answer> {
  return new Promise((resolve) => {
    const fail = (error: unknown): void => resolve({ problem: messageOf(error), untrusted: isAboutTrust(error) });
    try {
      const tls = { ca: readFileSync(security.ca), cert: readFileSync(security.cert), key: readFileSync(security.key) };
      const sentMs = clock.monotonicMs();
      // Whose it is, its CA says; by which name it is reached, nothing depends on here.
      const asked = request({ host, port, path: '/liveness', ...tls, checkServerIdentity: () => undefined }, (response) => {
        const tookMs = clock.monotonicMs() - sentMs;
        response.resume();
        resolve({ tookMs, clockApartMs: clockApart(response.headers.date, clock.wallMs(), tookMs) });
      });
      const late = clock.after(limitMs, () => asked.destroy(new Error(`no answer within ${limitMs} ms`)));
      asked.on('error', fail).on('close', () => late[Symbol.dispose]());
      asked.end();
    } catch (error) {
      fail(error);
    }
  });
}

/** By how much two clocks differ at least: the header is up to one second old when sent, and was on its way for up to `tookMs`. */
function clockApart(header: string | undefined, nowMs: number, tookMs: number): number {
  const theirs = Date.parse(header ?? '');
  if (Number.isNaN(theirs)) return 0;
  const earliest = nowMs - tookMs - clockStepMs;
  return theirs < earliest ? earliest - theirs : Math.max(0, theirs - nowMs);
}

function isAboutTrust(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL/.test(code);
}
