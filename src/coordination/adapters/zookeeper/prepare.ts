import { refusal, transact, valueOf } from './answers.ts';
import type { Connection } from './connection.ts';
import type { Layout } from './layout.ts';
import { type Acl, ANY_VERSION, check, create, errorCode, exists } from './protocol.ts';

/** Creates the prefix, however deep, and what is below it. Where all is there, it finds out in one request, and that it may be used. */
export async function prepareLayout(connection: Connection, layout: Layout, acl: Acl): Promise<void> {
  const { root, keys, guards, queues, sessions } = layout;
  const checks = [root, keys, guards, queues, sessions].map((path) => check(path, ANY_VERSION));
  const outcome = await transact(connection, checks, `using ${root}`);
  if (outcome.done) return;
  for (const path of layout.directories) await createMissing(connection, path, acl);
  await transact(connection, checks, `using ${root}`);
}

async function createMissing(connection: Connection, path: string, acl: Acl): Promise<void> {
  // Asked first: creating takes a right on the parent even where nothing is to be created.
  const there = await connection.submit(exists(path));
  if (there.ok) return;
  if (there.code !== errorCode.noNode) valueOf(there, `reading ${path}`);
  const created = await connection.submit(create(path, new Uint8Array(0), acl, 'persistent'));
  if (!created.ok && created.code !== errorCode.nodeExists) throw refusal(created.code, `creating ${path}`);
}
