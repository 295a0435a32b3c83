import type { CallOptions, Location } from '../../storage/index.ts';
import { listFiles } from '../documents/files.ts';
import type { FileKind } from '../repository.ts';

/** Media types by which client and server agree on a version of the protocol. */
export const mediaTypes = { 1: 'application/vnd.x.restic.rest.v1', 2: 'application/vnd.x.restic.rest.v2' } as const;

/** The version that an `Accept` header asks for; the first where it names none. */
export function versionFor(accept: string | undefined): 1 | 2 {
  return accept?.includes(mediaTypes[2]) === true ? 2 : 1;
}

/** Characters that are sent at once; a list up to this length is known whole before its status is told. */
const pieceCharacters = 256 * 1024;

/** Files of a kind as JSON: names (version 1), or names and sizes (version 2). Memory does not grow with their number. */
export async function* listingJson(location: Location, kind: FileKind, version: 1 | 2, options: CallOptions): AsyncGenerator<string> {
  let piece = '[';
  let separator = '';
  for await (const { id, sizeBytes } of listFiles(location, kind, options)) {
    piece += `${separator}${JSON.stringify(version === 1 ? id : { name: id, size: sizeBytes })}`;
    separator = ',';
    if (piece.length < pieceCharacters) continue;
    yield piece;
    piece = '';
  }
  yield `${piece}]`;
}

/** The same stream, whose first piece is there already: what fails at once fails before the status is told. */
export async function begun(pieces: AsyncGenerator<string>): Promise<AsyncGenerator<string>> {
  const first = await pieces.next();
  return (async function* () {
    if (first.done !== true) yield first.value;
    yield* pieces;
  })();
}
