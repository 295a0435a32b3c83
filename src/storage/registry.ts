import { linked } from '../core/deadline.ts';
import { hasCode, HoldfastError, messageOf } from '../core/errors.ts';
import type { Runtime } from '../core/runtime.ts';
import type { ConnectedLocation } from './adapter.ts';
import type { LocationConfig } from './config.ts';
import { retry, retryPolicyAlone, retryPolicyDefault } from './decorators/retry.ts';
import { throttle } from './decorators/throttle.ts';
import { unreachable } from './failures.ts';
import type { Location } from './location.ts';

/** How long a location is waited for when it is opened. One that is away then may come later. */
const connectMsMax = 5_000;
/** How deep locations may be made of locations. */
const depthMax = 8;

/**
 * Opens a location of a configuration, and all that it is made of; loads no other adapter. One that can not be reached is opened all the
 * same: its calls, and its `status()`, say why, until it can. Each store has its own retries, and its own bandwidth.
 * @param locations all there are, by name
 * @throws STORAGE_UNSUITABLE for a name that is not among them or contains itself; the signal's reason
 */
export async function openLocation(
  name: string,
  locations: Readonly<Record<string, LocationConfig>>,
  runtime: Runtime,
  options: { readonly signal: AbortSignal },
): Promise<Location> {
  return await openWithin([], name, locations, runtime, options);
}

async function openWithin(
  outer: readonly string[],
  name: string,
  locations: Readonly<Record<string, LocationConfig>>,
  runtime: Runtime,
  options: { readonly signal: AbortSignal },
): Promise<Location> {
  const config = Object.hasOwn(locations, name) ? locations[name] : undefined;
  if (config === undefined)
    throw misconfigured(`there is no location '${name}'`, `There are: ${Object.keys(locations).join(', ') || 'none'}.`);
  const path = [...outer, name];
  if (outer.includes(name) || path.length > depthMax)
    throw misconfigured(`location '${name}' would contain itself: ${path.join(' → ')}`, 'Take one of them out.');

  const over = config.mirror ?? config.parity?.over;
  if (over === undefined) {
    const { location, awayBecause } = await openPlace(name, config, runtime, options);
    // Who has other locations is not kept waiting by this one; who has no other rather waits than fails.
    const standing = outer.length > 0 ? { awayBecause } : {};
    const policy = outer.length > 0 || awayBecause !== undefined ? retryPolicyDefault : retryPolicyAlone;
    return throttle(retry(location, runtime, policy, standing), config.limits ?? {}, runtime);
  }
  const results = await Promise.allSettled(over.map((part) => openWithin(path, part, locations, runtime, options)));
  await using opened = new AsyncDisposableStack();
  for (const result of results) if (result.status === 'fulfilled') opened.use(result.value);
  const parts = results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
  const combined = await combine(name, parts, config, runtime);
  opened.move();
  return combined;
}

/** It takes its parts over. */
async function combine(name: string, parts: readonly Location[], { parity }: LocationConfig, runtime: Runtime): Promise<Location> {
  if (parity !== undefined) return (await import('./combinators/parity/parity.ts')).createParity(name, parts, parity, runtime);
  return (await import('./combinators/mirror/mirror.ts')).createMirror(name, parts, runtime);
}

/** A store of its own, asked for the first time; and why it is away, when it does not answer. */
async function openPlace(
  name: string,
  config: LocationConfig,
  runtime: Runtime,
  options: { readonly signal: AbortSignal },
): Promise<{ readonly location: Location; readonly awayBecause?: string }> {
  const location = await createPlace(name, config, runtime);
  using limit = linked(options.signal);
  using _timer = runtime.clock.after(connectMsMax, () => limit.abort(unreachable(name, `no answer within ${connectMsMax} ms`)));
  try {
    await location.connect(limit.signal);
    return { location };
  } catch (error) {
    if (options.signal.aborted) await location[Symbol.asyncDispose]();
    options.signal.throwIfAborted();
    runtime.logger.warn('storage.location.away', { location: name, message: messageOf(error) });
    return hasCode(error, 'STORAGE_UNREACHABLE') ? { location, awayBecause: messageOf(error) } : { location };
  }
}

async function createPlace(name: string, config: LocationConfig, runtime: Runtime): Promise<ConnectedLocation> {
  if (config.s3 !== undefined) return (await import('./adapters/s3/index.ts')).create(name, config.s3, runtime);
  if (config.sftp !== undefined) return (await import('./adapters/sftp/index.ts')).create(name, config.sftp, runtime);
  return (await import('./adapters/local/index.ts')).create(name, config.path!, runtime);
}

function misconfigured(problem: string, hint: string): HoldfastError {
  return new HoldfastError('STORAGE_UNSUITABLE', problem, { hint });
}

/** A location in this process's memory, which ends with it: for trying out, and for tests of what uses locations. */
export async function openMemoryLocation(name: string, runtime: Pick<Runtime, 'clock'>): Promise<Location> {
  const { MemoryLocation } = await import('./adapters/memory/index.ts');
  return new MemoryLocation(name, runtime);
}
