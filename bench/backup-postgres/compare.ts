import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const partBytes = 1024 * 1024;

/** @throws an Error when a relation's file of a database at rest is not, byte for byte, in what was restored, or one more is */
export async function assertSameRelations(data: string, restored: string): Promise<void> {
  const [expected, found] = await Promise.all([relationFiles(data), relationFiles(restored)]);
  if (expected.join() !== found.join()) throw new Error(`${restored} has other files than ${data}`);
  for (const path of expected) {
    await using theirs = await open(join(data, path));
    await using mine = await open(join(restored, path));
    for (let at = 0; ; at += partBytes) {
      const [a, b] = await Promise.all([theirs, mine].map((file) => file.read(Buffer.alloc(partBytes), 0, partBytes, at)));
      if (!a!.buffer.subarray(0, a!.bytesRead).equals(b!.buffer.subarray(0, b!.bytesRead)))
        throw new Error(`${path} was restored wrongly, near ${at}`);
      if (a!.bytesRead === 0) break;
    }
  }
}

/** Of user tables, too: the catalogue's pages are changed by queries as well, long after. */
async function relationFiles(data: string): Promise<string[]> {
  const base = join(data, 'base');
  const files = (await readdir(base, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  return files
    .filter(({ name }) => /^\d+(\.\d+)?$/.test(name) && Number.parseInt(name, 10) >= firstUserRelation)
    .map(({ parentPath, name }) => join(parentPath, name).slice(data.length + 1))
    .toSorted();
}

/** FirstNormalObjectId of transam.h. */
const firstUserRelation = 16_384;
