import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Token } from './tokens.ts';
import { tokenize } from './tokens.ts';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** One use of another module. */
export interface Import {
  /** As written. */
  readonly specifier: string;
  /** `type`: gone when it runs; `lazy`: `import(…)`. */
  readonly kind: 'static' | 'type' | 'lazy';
  readonly line: number;
  /** Path from the root, when it is a file of this repository. */
  readonly target: string | undefined;
}

/** A source file as the rules see it. */
export interface Module {
  /** From the root, with slashes: `src/core/clock.ts`. */
  readonly path: string;
  readonly source: string;
  readonly tokens: readonly Token[];
  readonly imports: readonly Import[];
}

export function readModules(...folders: string[]): Module[] {
  return folders
    .flatMap((folder) => sourceFiles(join(root, folder)))
    .map((file) => parseModule(relative(root, file), readFileSync(file, 'utf8')));
}

export function parseModule(path: string, source: string): Module {
  const tokens = tokenize(source);
  return { path, source, tokens, imports: importsOf(path, tokens) };
}

function sourceFiles(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : sourceFiles(path);
    return /\.[cm]?[jt]s$/.test(entry.name) ? [path] : [];
  });
}

function importsOf(path: string, tokens: readonly Token[]): Import[] {
  return tokens.flatMap((token, index) => {
    if (token.kind !== 'word' || tokens[index - 1]?.text === '.') return [];
    const found = token.text === 'import' || token.text === 'export' ? statementAt(tokens, index) : undefined;
    return found ? [{ ...found, line: token.line, target: resolveTarget(path, found.specifier) }] : [];
  });
}

/** The import or re-export that begins at `index`; undefined for an export of this module's own. */
function statementAt(tokens: readonly Token[], index: number): Pick<Import, 'specifier' | 'kind'> | undefined {
  const next = tokens[index + 1];
  if (!next) return undefined;
  const isImport = tokens[index]!.text === 'import';
  if (isImport && next.kind === 'string') return { specifier: next.text, kind: 'static' };
  if (isImport && next.text === '(') {
    const argument = tokens[index + 2];
    return argument?.kind === 'string' ? { specifier: argument.text, kind: isTypeQuery(tokens, index) ? 'type' : 'lazy' } : undefined;
  }
  const kind = next.text === 'type' ? 'type' : 'static';
  if (!isImport && !['{', '*'].includes(next.text === 'type' ? (tokens[index + 2]?.text ?? '') : next.text)) return undefined;
  for (let at = index + 1; at < tokens.length && tokens[at]!.text !== ';'; at++) {
    const specifier = tokens[at + 1];
    if (tokens[at]!.text === 'from' && specifier?.kind === 'string') return { specifier: specifier.text, kind };
    // The end of `export { … }` without a source.
    if (tokens[at]!.text === '}' && specifier?.text !== 'from') return undefined;
  }
  return undefined;
}

/** `typeof import('x')` and `let a: import('x').B`: a type, not a module that is loaded. */
function isTypeQuery(tokens: readonly Token[], index: number): boolean {
  return ['typeof', ':', '<'].includes(tokens[index - 1]?.text ?? '');
}

function resolveTarget(path: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : undefined;
}
