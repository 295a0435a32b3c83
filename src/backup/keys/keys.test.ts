import { expect, test } from 'vitest';
import type { MemoryObjects } from '../../storage/adapters/memory/index.ts';
import { openMemoryRepository } from '../testing/repositories.ts';

/** A new repository's objects, with the damage that `harm` does. */
async function harmed(harm: (objects: MemoryObjects, key: string) => void): Promise<MemoryObjects> {
  const objects: MemoryObjects = new Map();
  await (await openMemoryRepository({ objects }))[Symbol.asyncDispose]();
  harm(
    objects,
    [...objects.keys()].find((key) => key.startsWith('keys/'))!,
  );
  return objects;
}

const rotten = { bytes: Buffer.from('rot'), modifiedMs: 0 };

test.each([
  ['its config is damaged', (objects: MemoryObjects) => objects.set('config', rotten)],
  ['its only key is damaged', (objects: MemoryObjects, key: string) => objects.set(key, rotten)],
  ['it has no key', (objects: MemoryObjects, key: string) => objects.delete(key)],
])('a repository can not be opened and says what would help when %s', async (_, harm) => {
  const opening = openMemoryRepository({ objects: await harmed(harm) });
  await expect(opening).rejects.toMatchObject({ code: 'BACKUP_DAMAGED', hint: expect.stringContaining('holdfast scrub') });
});
