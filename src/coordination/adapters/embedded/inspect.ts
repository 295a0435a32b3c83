import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { messageOf } from '../../../core/errors.ts';
import type { EmbeddedConfig } from './config.ts';
import { assertSuitable, identifyHost } from './host.ts';

export interface Finding {
  readonly level: 'ok' | 'warning' | 'problem';
  readonly message: string;
  /** What to do; empty where nothing is to be done. */
  readonly hint: string;
}

/** Looks at the place of an embedded store as an operator would. Makes and changes nothing. */
export async function inspectStore(config: EmbeddedConfig): Promise<{ findings: readonly Finding[] }> {
  const file = resolve(config);
  try {
    assertSuitable(file);
    identifyHost();
    return { findings: [await judgeFile(file), oneMachine] };
  } catch (error) {
    return { findings: [{ level: 'problem', message: messageOf(error), hint: (error as { hint?: string }).hint ?? '' }] };
  }
}

const oneMachine: Finding = {
  level: 'warning',
  message: 'the embedded store coordinates the processes of this machine alone: what it guards does not survive the machine',
  hint: 'Use etcd or ZooKeeper as soon as there is more than one machine.',
};

async function judgeFile(file: string): Promise<Finding> {
  const found = await stat(file).catch(() => undefined);
  const needed = found === undefined ? dirname(file) : file;
  try {
    await access(needed, constants.R_OK | constants.W_OK);
  } catch {
    return { level: 'problem', message: `${needed} can not be read and written by this user`, hint: 'Correct its owner or mode.' };
  }
  if (found === undefined) return { level: 'ok', message: `${file} is not there yet and will be made`, hint: '' };
  if (!found.isFile()) return { level: 'problem', message: `${file} is no plain file`, hint: 'Name another.' };
  if ((found.mode & 0o022) !== 0)
    return { level: 'warning', message: `${file} can be changed by others than its owner`, hint: `chmod go-w ${file}` };
  return { level: 'ok', message: `${file} is there and can be used`, hint: '' };
}
