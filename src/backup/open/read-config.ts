import { hasCode, HoldfastError } from '../../core/errors.ts';
import { isCombined } from '../../storage/combinators/combined.ts';
import type { CallOptions, HeldCopy, Location } from '../../storage/index.ts';
import { configKey } from '../documents/ids.ts';
import { noRepository } from '../keys/keys.ts';

/**
 * `config` as it is stored. Of a mirror all copies are looked at: parts that are repositories of their own would give each other what the other
 * one's key does not open.
 * @throws BACKUP_NO_REPOSITORY, BACKUP_REPOSITORIES_DIFFER, STORAGE_…
 */
export async function readConfig(location: Location, { signal }: CallOptions): Promise<Uint8Array> {
  try {
    const copies = isCombined(location) ? await copiesIn(location, { signal }) : [];
    if (copies.length > 1) throw differing(location, copies);
    return copies[0]?.bytes ?? (await location.get(configKey, { signal }));
  } catch (error) {
    throw hasCode(error, 'STORAGE_NOT_FOUND') ? noRepository(location) : error;
  }
}

async function copiesIn(location: Location, options: CallOptions): Promise<readonly HeldCopy[]> {
  const { copiesOf } = await import('../../storage/combinators/mirror/copies-of.ts');
  return await copiesOf(location, configKey, options);
}

function differing({ name }: Location, copies: readonly HeldCopy[]): HoldfastError {
  const holders = copies.map(({ locations }) => locations.join(', '));
  return new HoldfastError(
    'BACKUP_REPOSITORIES_DIFFER',
    `the parts of ${name} do not hold one repository: config is another one in each of ${holders.join(' and ')}`,
    {
      hint: `Nothing was read or healed. Look at each alone (--repo ${copies[0]!.locations[0]!}). Two repositories: copy what is needed from one to the other (holdfast copy), and give ${name} an empty location in place of the first. One whose config is damaged: holdfast scrub heals it where most others agree; else put the good one over it.`,
    },
  );
}
