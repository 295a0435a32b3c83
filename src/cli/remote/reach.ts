import type { ClusterStatus } from '../../api/schema.ts';
import { type Client, openClient } from '../../client/client.ts';
import type { Clock } from '../../core/clock.ts';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { Remote } from './addresses.ts';

/** Another agent is asked too when one has not answered for so long. */
const patienceMs = 400;

/** An agent that answers, with its first answer. */
export interface Reached extends AsyncDisposable {
  readonly client: Client;
  readonly status: ClusterStatus;
  /** Agents that were asked before it and did not answer, with why. */
  readonly silent: readonly { readonly url: string; readonly error: unknown }[];
}

/**
 * The first agent of the list that answers; the next one is asked when one fails or takes its time. Nothing is commanded.
 * @throws what the agent said when there is one, API_UNREACHABLE when none answers; the signal's reason
 */
export async function reach(remote: Remote, clock: Clock, signal?: AbortSignal): Promise<Reached> {
  const silent: { url: string; error: unknown }[] = [];
  const settled = new AbortController();
  const stop = (): void => settled.abort();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await new Promise<Reached>((resolve, reject) => {
      let waiting = remote.urls.length;
      const ask = async (index: number): Promise<void> => {
        const url = remote.urls[index];
        if (url === undefined || settled.signal.aborted) return;
        const next = once(() => void ask(index + 1));
        const timer = clock.after(patienceMs, next);
        const client = openClient({ ...remote, url });
        try {
          const status = await client.status({ signal: settled.signal });
          if (settled.signal.aborted) return await client[Symbol.asyncDispose]();
          resolve({ client, status, silent, [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() });
          stop();
        } catch (error) {
          await client[Symbol.asyncDispose]();
          if (settled.signal.aborted) return;
          silent.push({ url, error });
          if (--waiting === 0) reject(nobody(silent));
        } finally {
          timer[Symbol.dispose]();
          next();
        }
      };
      settled.signal.addEventListener('abort', () => reject((signal?.reason as Error | undefined) ?? new Error('aborted')), { once: true });
      void ask(0);
    });
  } finally {
    signal?.removeEventListener('abort', stop);
    stop();
  }
}

/** An agent that answered, but with a refusal, knows better than those that did not. */
function nobody(silent: readonly { url: string; error: unknown }[]): unknown {
  const absent = ['API_UNREACHABLE', 'API_TIMEOUT'];
  const said = silent.find(({ error }) => !(error instanceof HoldfastError && absent.includes(error.code)));
  if (said !== undefined || silent.length === 1) return (said ?? silent[0]!).error;
  return new HoldfastError(
    'API_UNREACHABLE',
    `none of ${silent.length} agents answers:\n${silent.map(({ error }) => `  ${messageOf(error)}`).join('\n')}`,
    {
      retryable: true,
      hint: 'Start an agent, or name one that runs with --url and --ca.',
    },
  );
}

function once(run: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    run();
  };
}
