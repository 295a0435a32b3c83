import type { Document } from 'yaml';
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import type { ConfigProblem, Finding, Path } from './problem.ts';
import { formatPath } from './problem.ts';

/** Most aliases that one document may expand to: more is an attack or an accident. */
const aliasesMax = 100;

/** A parsed YAML file that still knows where everything stands. */
export interface ConfigDocument {
  readonly value: unknown;
  place(finding: Finding): ConfigProblem;
}

/** The document, or what keeps the text from being one. */
export function readDocument(text: string): ConfigDocument | readonly ConfigProblem[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false, stringKeys: true });
  const problems = [...document.errors, ...document.warnings, ...repeatedKeys(document)].map(({ pos, message }) => ({
    ...at(lines, pos[0]),
    path: '',
    message: `not valid YAML: ${message.replace(/; please use .*/, '')}`,
  }));
  if (problems.length > 0) return problems;
  try {
    return { value: document.toJS({ maxAliasCount: aliasesMax }), place: (finding) => place(document, lines, finding) };
  } catch (error) {
    return [{ line: 1, column: 1, path: '', message: `not valid YAML: ${error instanceof Error ? error.message : String(error)}` }];
  }
}

/** What `uniqueKeys` of the parser finds, in linear time: that compares every key with every other, which takes minutes for a generated file. */
function repeatedKeys(document: Document): { pos: readonly [number, number]; message: string }[] {
  const found: { pos: readonly [number, number]; message: string }[] = [];
  visit(document, {
    Map: (_, { items }) => {
      const keys = new Set<string>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        const name = String(key.value);
        if (keys.has(name)) found.push({ pos: [startOf(key) ?? 0, 0], message: 'Map keys must be unique' });
        keys.add(name);
      }
    },
  });
  return found;
}

function place(document: Document, lines: LineCounter, { path, atKey, message }: Finding): ConfigProblem {
  return { ...at(lines, offsetOf(document, path, atKey ?? false)), path: formatPath(path), message };
}

/** Where a value (or its key) begins; where the nearest thing around it begins when it is not there. */
function offsetOf(document: Document, path: Path, atKey: boolean): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const [index, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
      if (!pair) return offset;
      const last = index === path.length - 1;
      offset = startOf(last && !atKey && startOf(pair.value) !== undefined ? pair.value : pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(part)];
      offset = startOf(node) ?? offset;
    } else return offset;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  const range = (node as { range?: readonly number[] | null } | null)?.range;
  return range?.[0];
}

function at(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}
