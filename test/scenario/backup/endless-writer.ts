// Backs up random bytes again and again until it is killed; tells of each snapshot once it is reported to be safe.
import { randomBytes } from 'node:crypto';
import { openRepository } from '../../../src/backup/open/open-repository.ts';
import { encodeTree } from '../../../src/backup/tree/tree.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import { createClock, createRandom } from '../../../src/runtime/index.ts';
import { LocalLocation } from '../../../src/storage/adapters/local/local-location.ts';

const [path, password] = process.argv.slice(2) as [string, string];
const runtime = { clock: createClock(), random: createRandom(), logger: silentLogger };
const { signal } = new AbortController();
const stamp = '2026-11-22T14:03:07Z';
const packBytes = 1024 * 1024;

await using repository = await openRepository(new LocalLocation('killed', path, runtime), { password, packBytes }, runtime, { signal });
await using writer = await repository.write({ signal });
for (let round = 0; ; round += 1) {
  const saved = await Promise.all(Array.from({ length: 8 }, () => writer.saveBlob('data', randomBytes(400_000))));
  const stamps = { mtime: stamp, atime: stamp, ctime: stamp };
  const content = saved.map(({ id }) => id);
  const { id: tree } = await writer.saveBlob(
    'tree',
    encodeTree([{ name: `${round}`, type: 'file', mode: 0o644, uid: 0, gid: 0, ...stamps, content }]),
  );
  const { id } = await writer.saveSnapshot({ time: stamp, tree, paths: ['/srv'] });
  process.stdout.write(`${id}\n`);
}
