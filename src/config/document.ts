import type { Document } from 'yaml';
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import type { ConfigProblem, Finding, Path } from './problem.ts';
import { messageOf } from '../core/errors.ts';
import { formatPath } from './problem.ts';

/** Most aliases that one document may expand to: more is an attack or an accident. */
const aliasesMax = 100;

/** A parsed YAML file that still knows where everything stands. */
export interface ConfigDocument {
  readonly value: unknown;
  place(finding: Finding): ConfigProblem;
}

/** What is wrong, from which character on. */
interface Flaw {
  readonly pos: readonly [number, number];
  readonly message: string;
}

/** The document, or what keeps the text from being one. */
export function readDocument(text: string): ConfigDocument | readonly ConfigProblem[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false, stringKeys: true });
  const depth = tooDeep(document);
  // What goes through a document recurses: not through one that is too deep.
  const within = depth.length > 0 ? depth : [...repeatedKeys(document), ...circles(document)];
  const problems = [...document.errors, ...document.warnings, ...within].map(({ pos, message }) => ({
    ...at(lines, pos[0]),
    path: '',
    message: `not valid YAML: ${wordsOf(message)}`,
  }));
  if (problems.length > 0) return problems;
  try {
    return { value: document.toJS({ maxAliasCount: aliasesMax }), place: (finding) => place(document, lines, finding) };
  } catch (error) {
    return [{ line: 1, column: 1, path: '', message: `not valid YAML: ${wordsOf(messageOf(error))}` }];
  }
}

const tooDeepText = 'nested too deeply to be read';

/** The parser's messages for people who know nothing of it. */
function wordsOf(message: string): string {
  if (/call stack/i.test(message)) return tooDeepText;
  return message.replace(/; please use .*/, '');
}

/** Mappings and lists within each other; nobody writes more. */
const nestingMax = 200;

function tooDeep(document: Document): Flaw[] {
  const open: { node: unknown; depth: number }[] = [{ node: document.contents, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { node, depth } = next;
    if (depth > nestingMax) return [{ pos: [startOf(node) ?? 0, 0], message: tooDeepText }];
    if (isMap(node)) for (const { key, value } of node.items) open.push({ node: key, depth: depth + 1 }, { node: value, depth: depth + 1 });
    else if (isSeq(node)) for (const item of node.items) open.push({ node: item, depth: depth + 1 });
  }
  return [];
}

/** Aliases that stand within what they stand for: what they mean would have no end. */
function circles(document: Document): Flaw[] {
  const found: Flaw[] = [];
  visit(document, {
    Alias: (_, alias, around) => {
      const meant = alias.resolve(document);
      if (meant !== undefined && around.some((node) => node === meant))
        found.push({ pos: [startOf(alias) ?? 0, 0], message: `the alias *${alias.source} stands within what it repeats` });
    },
  });
  return found;
}

/** What `uniqueKeys` of the parser finds, in linear time: that compares every key with every other, which takes minutes for a generated file. */
function repeatedKeys(document: Document): Flaw[] {
  const found: Flaw[] = [];
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
