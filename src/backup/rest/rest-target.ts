import { kindOfFolder, isId } from '../documents/ids.ts';
import type { FileId, FileKind } from '../repository.ts';

/** What a request is about. */
export type RestTarget =
  | { readonly what: 'repository' }
  | { readonly what: 'config' }
  | { readonly what: 'folder'; readonly kind: FileKind }
  | { readonly what: 'file'; readonly kind: FileKind; readonly id: FileId };

/** Longer addresses are none of this protocol's: a folder, an id, a query. */
const urlCharactersMax = 200;

/**
 * Reads the path of a request: `/`, `/config`, `/{type}/`, `/{type}/{id}`. Undefined for anything else: keys are made of what was recognised here,
 * never of what a client sent. A query is not looked at.
 */
export function parseRestTarget(url: string): RestTarget | undefined {
  if (url.length > urlCharactersMax) return undefined;
  const [path = ''] = url.split('?', 1);
  if (path === '/') return { what: 'repository' };
  if (path === '/config') return { what: 'config' };
  const [, folder = '', id, ...rest] = path.split('/');
  const kind = kindOfFolder(folder);
  if (kind === undefined || id === undefined || rest.length > 0) return undefined;
  if (id === '') return { what: 'folder', kind };
  return isId(id) ? { what: 'file', kind, id } : undefined;
}
