import { createHash } from 'node:crypto';

/**
 * Whether the bytes are what the key says: `undefined` where it says nothing. Pure.
 */
export type Verify = (key: string, bytes: Uint8Array) => boolean | undefined;

/** Objects that a restic repository names by the SHA-256 of their content (doc/design.rst of restic/restic, "Repository Layout"). */
const named = /(?:^|\/)(?:data\/(?:[0-9a-f]{2}\/)?|index\/|snapshots\/|keys\/|locks\/)([0-9a-f]{64})$/;

/** For the layout of restic repositories, wherever below the location they begin. */
export const verifyResticKey: Verify = (key, bytes) => {
  const id = named.exec(key)?.[1];
  return id === undefined ? undefined : createHash('sha256').update(bytes).digest('hex') === id;
};
