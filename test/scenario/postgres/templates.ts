import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { account } from './account.ts';
import { templatesVariable } from './copying-initdb.ts';

/** Before the scenarios: a place for what initdb makes, which they share. */
export function setup(): void {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-templates-'));
  if (account !== undefined) chownSync(directory, account.uid, account.gid);
  process.env[templatesVariable] = directory;
}

export function teardown(): void {
  const directory = process.env[templatesVariable];
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
}
