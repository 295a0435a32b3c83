import { resolve } from 'node:path';
import { z } from 'zod';
import { mapKinds } from '../../config/schema-walk.ts';
import { resolveSecrets } from '../../config/secrets.ts';
import { name as nameSchema } from '../../core/config-fields.ts';
import type { Runtime } from '../../core/runtime.ts';
import * as storage from '../../storage/index.ts';
import { invalid } from './invalid.ts';

// What `holdfast/storage` gives to programs: src/storage, and locations opened by what a person writes.

export * from '../../storage/index.ts';
export { HoldfastError } from '../../core/errors.ts';

const locationsSchema = z.record(nameSchema(), storage.locationSchema);

/**
 * Opens one of several locations, and all that it is made of: `{ disk: { path: '/backup' }, cloud: { s3: { … } }, both: { mirror: ['disk', 'cloud'] } }`,
 * each as in holdfast.yaml; secrets are `${NAME}` or `file:PATH` there, too. One that does not answer is opened all the same, and says why.
 * @throws CONFIG_INVALID; STORAGE_UNSUITABLE for a name that is not among them or contains itself; the signal's reason
 */
export async function openLocation(
  name: string,
  locations: Readonly<Record<string, storage.LocationConfigInput>>,
  runtime: Runtime,
  options: { readonly signal: AbortSignal },
): Promise<storage.Location> {
  const absolute = mapKinds(locationsSchema, locations, (kind, value) => (kind === 'path' ? resolve(value) : value));
  const { data, error } = locationsSchema.safeParse(absolute);
  if (data === undefined) throw invalid('the locations', error.issues, 'docs/configuration.md');
  const unreadable = resolveSecrets(data, process.env, process.cwd());
  if (unreadable.length > 0) throw invalid('the locations', unreadable, 'docs/configuration.md');
  return await storage.openLocation(name, data, runtime, options);
}
