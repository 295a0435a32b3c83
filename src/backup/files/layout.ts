import { resolve } from 'node:path';
import { HoldfastError } from '../../core/errors.ts';
import { partsOf } from '../patterns/pattern.ts';

/** Where the paths of a backup are in its snapshot: directories down to them, and leaves whose content is taken. */
export interface Layout {
  /** Where its own metadata are read. */
  readonly path: string;
  /** Undefined for a leaf. */
  readonly children: Map<string, Layout> | undefined;
}

/**
 * Absolute paths stand in the snapshot where they stand on the machine; with `base`, as they stand below it, and `base` itself is then the
 * snapshot's root. What lies below another path that was given is part of that one.
 * @throws BACKUP_SOURCE_OUTSIDE when a path is not below `base`
 */
export function layOut(paths: readonly string[], base = '/'): { readonly root: Layout; readonly absolutePaths: readonly string[] } {
  const absoluteBase = resolve(base);
  const absolutePaths = paths.map((path) => resolve(absoluteBase === '/' ? '.' : absoluteBase, path));
  let root: Layout = { path: absoluteBase, children: new Map() };
  for (const path of absolutePaths) {
    if (path !== absoluteBase && !path.startsWith(absoluteBase === '/' ? '/' : `${absoluteBase}/`)) {
      throw new HoldfastError('BACKUP_SOURCE_OUTSIDE', `${path} is not below ${absoluteBase}`, {
        hint: 'give paths below the base, or no base',
      });
    }
    const parts = partsOf(path.slice(absoluteBase.length));
    if (parts.length === 0) root = { path: absoluteBase, children: undefined };
    else place(root, parts, path);
  }
  return { root, absolutePaths };
}

function place(root: Layout, parts: readonly string[], path: string): void {
  let at = root;
  for (const [index, name] of parts.entries()) {
    if (at.children === undefined) return;
    const isLast = index === parts.length - 1;
    const known = at.children.get(name);
    if (known === undefined || (isLast && known.children !== undefined)) {
      const above = at.path === '/' ? '' : at.path;
      at.children.set(name, { path: isLast ? path : `${above}/${name}`, children: isLast ? undefined : new Map() });
    }
    at = at.children.get(name) as Layout;
  }
}
