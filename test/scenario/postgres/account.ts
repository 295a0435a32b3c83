import type { Account } from '../../../src/core/processes.ts';

/** Whom servers run as when the tests run as root, which PostgreSQL refuses. */
export const account: Account | undefined = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534, name: 'nobody' } : undefined;
