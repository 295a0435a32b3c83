import { X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createClock } from '../../runtime/clock.ts';
import { main } from '../main.ts';

let directory: string;
let printed: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-certificates-'));
  printed = '';
  const collect = (text: unknown): boolean => {
    printed += String(text);
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(collect);
  vi.spyOn(process.stderr, 'write').mockImplementation(collect);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(directory, { recursive: true });
});

const holdfast = (...args: string[]) => main(['certificates', ...args]);

test('makes an authority and a node that belongs to it, with keys that only their owner reads', async () => {
  expect(await holdfast('ca', '--cluster', 'shop', '--out', directory)).toBe(0);
  printed = '';
  expect(await holdfast('node', 'db1', '--host', '10.0.0.1', '--host', 'db1.example.net', '--out', directory, '--json')).toBe(0);
  const files = JSON.parse(printed) as Record<'ca' | 'cert' | 'key', string>;
  expect(files).toEqual({ ca: join(directory, 'ca.pem'), cert: join(directory, 'db1.pem'), key: join(directory, 'db1.key') });
  const node = new X509Certificate(await readFile(files.cert));
  expect(node.verify(new X509Certificate(await readFile(files.ca)).publicKey)).toBe(true);
  expect(node.checkIP('10.0.0.1')).toBe('10.0.0.1');
  expect(node.validToDate.getTime()).toBeGreaterThan(createClock().wallMs() + 759 * 86_400_000);
  for (const name of ['ca.key', 'db1.key']) expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
});

test('never replaces what is there', async () => {
  await holdfast('ca', '--cluster', 'shop', '--out', directory);
  const before = await readFile(join(directory, 'ca.key'), 'utf8');
  expect(await holdfast('ca', '--cluster', 'shop', '--out', directory)).toBe(1);
  expect(printed).toContain('CERTIFICATE_EXISTS');
  expect(await readFile(join(directory, 'ca.key'), 'utf8')).toBe(before);
});

test.each([
  [['node', 'db1'], 1, 'CERTIFICATE_AUTHORITY_UNUSABLE'],
  [['node', '../db1'], 2, "'../db1' must be a name"],
  [['ca', '--cluster', 'Shop!'], 2, "'Shop!' must be a name"],
  [['ca'], 2, '--cluster'],
  [['ca', '--cluster', 'shop', '--days', '0'], 2, 'from 1 to 36500'],
  [['node', 'db1', '--host', 'a b'], 2, 'A host name or an IP address'],
])('refuses %j with exit code %d', async (args, code, message) => {
  expect(await holdfast(...args, '--out', directory)).toBe(code);
  expect(printed).toContain(message);
  expect(await readdir(directory)).toEqual([]);
});

test('says which file of the authority is of no use', async () => {
  await writeFile(join(directory, 'ca.pem'), 'nonsense');
  await writeFile(join(directory, 'ca.key'), 'nonsense');
  expect(await holdfast('node', 'db1', '--out', directory)).toBe(1);
  expect(printed).toContain('its certificate can not be read');
});
