import { z } from 'zod';
import type { Runtime } from '../core/runtime.ts';
import { acquire, type Claim } from './acquire.ts';
import type { AcquireOptions, Hold, QueueHold } from './hold.ts';
import { jsonText } from './json-text.ts';
import type { CoordinationStore, Entry } from './store.ts';

/** Who leads, as everybody sees it. */
export interface Leader {
  /** What the leader said of itself in `campaign`. */
  readonly value: string;
  readonly token: bigint;
}

const announcementSchema = jsonText(z.object({ value: z.string(), token: z.string().regex(/^\d{1,20}$/) }));

/**
 * Stands for leader and waits to be it; in order of arrival. Then announces `value` (an address, a name) to observers.
 * The leadership ends with `release`, or by its signal when the session is lost; to stand again is the caller's decision.
 * @throws what `acquire` throws
 */
export function campaign(
  store: CoordinationStore,
  name: string,
  runtime: Runtime,
  options: AcquireOptions & { value: string },
): Promise<Hold> {
  const { value } = options;
  const claim: Claim = {
    name,
    queue: announcementKey(name),
    label: 'candidate',
    blockers: (ahead) => ahead.slice(-1),
    complete: (hold, signal) => announce(store, hold, value, signal),
  };
  return acquire(store, claim, runtime, { holder: value.slice(0, 100), ...options });
}

/**
 * Follows who leads: first who does now (undefined: nobody), then every change. Ends with `signal`, quietly. What it says may be
 * outdated when it is read: only the leader's own hold proves leadership.
 */
export async function* observeLeader(
  store: CoordinationStore,
  name: string,
  options: { signal: AbortSignal },
): AsyncIterable<Leader | undefined> {
  const key = announcementKey(name);
  let told: Leader | undefined | 'nothing yet' = 'nothing yet';
  for await (const event of store.watch(key, options)) {
    let entry: Entry | undefined;
    if (event.type === 'snapshot') entry = event.entries.find((other) => other.key === key);
    else if (event.type === 'put' && event.entry.key === key) entry = event.entry;
    else if (event.type === 'put' || event.key !== key) continue;
    const leader = entry === undefined ? undefined : parse(entry);
    if (told !== 'nothing yet' && told?.token === leader?.token && told?.value === leader?.value) continue;
    told = leader;
    yield leader;
  }
}

function announcementKey(name: string): string {
  return `elections/${name}`;
}

async function announce(store: CoordinationStore, hold: QueueHold, value: string, signal: AbortSignal): Promise<void> {
  const key = announcementKey(hold.name);
  const text = JSON.stringify({ value, token: String(hold.token) });
  for (let current = await store.get(key, { signal }); ;) {
    if (current?.sessionId === hold.session.id) return;
    // What an earlier leader left is replaced: its session may not have ended for all servers yet.
    const result = await store.swap(key, text, current?.revision ?? 'absent', { session: hold.session, signal });
    if (result.swapped) return;
    current = result.current;
  }
}

/** Undefined for what is no announcement: written by somebody else's program. */
function parse(entry: Entry): Leader | undefined {
  const announcement = announcementSchema.safeParse(entry.value);
  return announcement.success ? { value: announcement.data.value, token: BigInt(announcement.data.token) } : undefined;
}
