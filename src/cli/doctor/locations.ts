import { configKey, folderOf } from '../../backup/documents/ids.ts';
import { findKey } from '../../backup/keys/keys.ts';
import type { HoldfastConfig } from '../../config/schema.ts';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { Runtime } from '../../core/runtime.ts';
import type { CallOptions, Location, LocationStatus } from '../../storage/index.ts';
import { openLocation } from '../../storage/registry.ts';
import { repositoryPassword } from '../../storage/repository-password.ts';
import type { Finding } from './finding.ts';
import { findingsOf } from './finding.ts';

const limitMs = 20_000;

type Locations = HoldfastConfig['locations'];

/** Whether each place for copies answers, and whether the password of the configuration opens the repository in it. */
export async function inspectLocations({ locations }: HoldfastConfig, runtime: Runtime): Promise<readonly Finding[]> {
  const parts = new Set(Object.values(locations).flatMap(({ mirror, parity }) => mirror ?? parity?.over ?? []));
  // What a location is made of is told with it.
  const names = Object.keys(locations).filter((name) => !parts.has(name));
  return (await Promise.all(names.map((name) => inspectLocation(name, locations, runtime)))).flat();
}

async function inspectLocation(name: string, locations: Locations, runtime: Runtime): Promise<readonly Finding[]> {
  const { fail } = findingsOf(`location ${name}`);
  const controller = new AbortController();
  using _late = runtime.clock.after(limitMs, () => controller.abort(new Error(`no answer within ${limitMs} ms`)));
  const { signal } = controller;
  try {
    await using location = await openLocation(name, locations, runtime, { signal });
    // Who is away would be waited for, once more and longer.
    const repository = location.status().state === 'away' ? [] : [await inspectRepository(name, location, locations, { signal })];
    return [inspectStanding(location.status()), ...repository];
  } catch (error) {
    return [fail(messageOf(error), hintOf(error, 'See whether the store runs, and the network between.'))];
  }
}

function inspectStanding({ name, state, message, parts }: LocationStatus): Finding {
  const { ok, warn, fail } = findingsOf(`location ${name}`);
  if (state === 'ok') return ok(parts.length === 0 ? 'answers' : `all ${parts.length} of its parts answer`);
  if (state === 'away') return fail(`is away: ${message}`, 'No copies can be made, nor had, until it is back.');
  return warn(`is degraded: ${message}`, 'Copies are made; another fault may be one too many.');
}

async function inspectRepository(name: string, location: Location, locations: Locations, options: CallOptions): Promise<Finding> {
  const { ok, warn, fail } = findingsOf(`location ${name}`);
  try {
    if ((await location.stat(configKey, options)) === undefined) return ok('has no repository yet: the first backup makes one');
    const password = repositoryPassword(name, locations);
    if (password === undefined) return warn('there is no password for its repository', `Name it: locations.${name}.password.`);
    await findKey(location, password.reveal(), options);
    const snapshots = await Array.fromAsync(location.list(folderOf('snapshot'), options));
    return ok(`the password opens its repository, which has ${snapshots.length} snapshots`);
  } catch (error) {
    return fail(messageOf(error), hintOf(error, 'See holdfast check.'));
  }
}

function hintOf(error: unknown, otherwise: string): string {
  return error instanceof HoldfastError && error.hint !== '' ? error.hint : otherwise;
}
