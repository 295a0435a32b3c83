import type { AgentEvent } from '../../api/schema.ts';
import { openClient } from '../../client/client.ts';
import type { Clock } from '../../core/clock.ts';
import { messageOf } from '../../core/errors.ts';
import { urlOf, type Remote } from './addresses.ts';
import { reach } from './reach.ts';
import { parseAddress } from '../../core/address.ts';

/** An agent that went away is asked again so often. */
const retryMs = 1_000;
/** Events that are remembered, to tell those that came by two addresses of one agent. */
const recentMax = 10_000;

export interface Follower {
  readonly onEvent: (event: AgentEvent) => void;
  /** About agents that can not be followed now, and those that can again. */
  readonly onNotice: (line: string) => void;
}

/**
 * The events of all agents of a cluster, each once, until `signal` aborts. Each agent tells its own; they are found by the first that
 * answers.
 * @throws as `reach`, when none answers at the beginning
 */
export async function followAll(remote: Remote, clock: Clock, signal: AbortSignal, follower: Follower): Promise<void> {
  const urls = await findAgents(remote, clock, signal).catch((error: unknown) => {
    if (signal.aborted) return [];
    throw error;
  });
  const recent = new Set<string>();
  const onEvent = (event: AgentEvent): void => {
    const key = `${event.node} ${event.id} ${event.at}`;
    if (recent.has(key)) return;
    recent.add(key);
    if (recent.size > recentMax) recent.delete(recent.values().next().value!);
    follower.onEvent(event);
  };
  await Promise.all(urls.map((url) => followOne({ ...remote, url }, clock, signal, { ...follower, onEvent })));
}

async function findAgents(remote: Remote, clock: Clock, signal: AbortSignal): Promise<string[]> {
  await using agent = await reach(remote, clock, signal);
  const named = agent.status.services.flatMap((service) => service.members.map((member) => parseAddress(member.agentAddress ?? '')));
  return [...new Set([...remote.urls, ...named.filter((address) => address !== undefined).map(urlOf)])];
}

async function followOne(
  target: Remote & { url: string },
  clock: Clock,
  signal: AbortSignal,
  { onEvent, onNotice }: Follower,
): Promise<void> {
  await using client = openClient(target);
  let afterId: number | undefined;
  let isAway = false;
  while (!signal.aborted) {
    try {
      for await (const event of client.events({ signal, ...(afterId === undefined ? {} : { afterId }) })) {
        if (isAway) onNotice(`${target.url} tells its events again`);
        isAway = false;
        afterId = event.id;
        onEvent(event);
      }
    } catch (error) {
      if (!isAway) onNotice(`${target.url} can not be followed: ${messageOf(error)}; trying again`);
      isAway = true;
    }
    await clock.sleep(retryMs, signal).catch(() => {});
  }
}
