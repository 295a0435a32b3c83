import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRuntime } from '../../runtime/index.ts';
import { openLocation } from './storage.ts';

const page = await readFile(fileURLToPath(new URL('../../../docs/backup.md', import.meta.url)), 'utf8');
/** Whole programs: others show a line or two. */
const examples = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, text]) => text!).filter((text) => text.includes('openLocation'));

const source = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-library-'));
  for (const name of ['shop', 'disk', 'cloud', 'uploads']) await mkdir(join(directory, name));
  await writeFile(join(directory, 'uploads', 'a'), 'hello');
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** Runs an example as it is written, but for where its places are, and for what follows it. */
async function run(index: number, after = ''): Promise<string> {
  const program = examples[index]!.replaceAll("'holdfast/backup'", source('../../backup/index.ts'))
    .replaceAll("'holdfast/runtime'", source('../../runtime/index.ts'))
    .replaceAll("'holdfast/storage'", source('./storage.ts'))
    .replaceAll("'/backup/shop'", JSON.stringify(join(directory, 'shop')))
    .replaceAll("'/backup/holdfast'", JSON.stringify(join(directory, 'disk')))
    .replace(/cloud: \{ s3: .*\},\n/, `cloud: { path: ${JSON.stringify(join(directory, 'cloud'))} },\n`)
    .replaceAll("'/srv/", `'${directory}/`)
    .replace('listen(8000,', 'listen(0,');
  const file = join(directory, `example-${index}.ts`);
  await writeFile(file, program.replace(/(?=process\.once\('SIGTERM')/, after));
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [file], {
    timeout: 100_000,
    env: { ...process.env, SHOP_PASSWORD: 'secret', NODE_NO_WARNINGS: '1' },
  });
  expect(stderr).toBe('');
  return stdout;
}

describe('the examples of docs/backup.md run', { timeout: 120_000 }, () => {
  it('locations', async () => {
    expect(await run(0)).toBe('object\nnotes/first 10\n{ objects: 1, healed: 0, open: 0 } ok\n');
  });

  it('a repository, then files in it, then restic\u2019s protocol', async () => {
    expect(await run(1)).toBe('{ ok: true, snapshots: 1 }\n');
    expect(await run(2)).toBe('1 true []\n');
    expect(await readFile(join(directory, 'new', directory, 'uploads', 'a'), 'utf8')).toBe('hello');
    const asking = `
      const { port } = server.address() as { port: number };
      const answered = await fetch(\`http://127.0.0.1:\${port}/snapshots/\`, { headers: { accept: 'application/vnd.x.restic.rest.v2' } });
      console.log(answered.status, (await answered.json() as unknown[]).length);
      setTimeout(() => process.kill(process.pid, 'SIGTERM'), 10);
    `;
    expect(await run(3, asking)).toBe('200 2\n');
  });

  it('all of them', () => expect(examples).toHaveLength(4));
});

describe('locations as a person writes them', () => {
  const { signal } = new AbortController();
  const s3 = { bucket: 'shop-dr', region: 'eu-west-3', secretKey: '${HOLDFAST_TEST_ABSENT}' };

  it.each([
    [
      'a secret that is not there',
      { accessKey: '${HOLDFAST_TEST_ABSENT}' },
      'cloud.s3.accessKey the environment has no HOLDFAST_TEST_ABSENT',
    ],
    ['a secret in the text', { accessKey: 'AKIA' }, 'cloud.s3.accessKey must be an environment variable'],
    ['a part of it alone', {}, 'accessKey and secretKey together'],
  ])('%s is refused', async (_, more, message) => {
    await using runtime = createRuntime();
    await expect(openLocation('cloud', { cloud: { s3: { ...s3, ...more } } }, runtime, { signal })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(message),
    });
  });
});
