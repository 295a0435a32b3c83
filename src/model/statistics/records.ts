import type { Entry } from './entries.ts';
import { invalidRecord } from './entries.ts';

/**
 * The entries of CSV text (RFC 4180, first record = names of columns, of which all of `required` are wanted) or of a JSON list of objects.
 * @throws MODEL_RECORDS with the line
 */
export function parseRecords(text: string, required: readonly string[]): Entry[] {
  const bare = text.replace(/^\uFEFF/, '');
  return /^\s*\[/.test(bare) ? parseJson(bare) : parseCsv(bare, required);
}

function parseCsv(text: string, required: readonly string[]): Entry[] {
  const [header, ...rows] = readRows(text);
  if (header === undefined) throw invalidRecord(1, 'the file is empty');
  const names = header.cells.map((cell) => cell.trim().toLowerCase());
  const lacking = required.find((name) => !names.includes(name));
  if (lacking !== undefined) throw invalidRecord(header.line, `the header has no column '${lacking}'; it has: ${names.join(', ')}`);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw invalidRecord(header.line, `the header has the column '${twice}' twice`);
  return rows.map(({ line, cells }) => {
    if (cells.length !== names.length)
      throw invalidRecord(line, `has ${cells.length} values for ${names.length} columns (${names.join(', ')})`);
    return { line, fields: Object.fromEntries(cells.map((cell, index) => [names[index]!, cell.trim()])) };
  });
}

/** A cell in quotes (with doubled quotes inside), or one without; then what ends it. */
const cellForm = /(?:"((?:[^"]|"")*)"[ \t]*|([^",\r\n]*))(,|\r?\n|$)/y;

function readRows(text: string): { line: number; cells: string[] }[] {
  const rows: { line: number; cells: string[] }[] = [];
  let line = 1;
  for (let position = 0; position < text.length;) {
    const row = { line, cells: [] as string[] };
    for (let end = ','; end === ',';) {
      cellForm.lastIndex = position;
      const match = cellForm.exec(text);
      if (match === null) throw invalidRecord(line, 'has a quotation mark that is not closed, or stands inside a value');
      row.cells.push(match[1]?.replaceAll('""', '"') ?? match[2]!);
      position = cellForm.lastIndex;
      line += match[0].split('\n').length - 1;
      end = match[3]!;
    }
    if (row.cells.length > 1 || row.cells[0]!.trim() !== '') rows.push(row);
  }
  return rows;
}

function parseJson(text: string): Entry[] {
  const list = parseOrExplain(text);
  const lines = elementLines(text);
  return (list as unknown[]).map((value, index) => {
    const line = lines[index] ?? 1;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidRecord(line, 'must be an object { … }');
    return { line, fields: value as Record<string, unknown> };
  });
}

function parseOrExplain(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // V8 says where: "… in JSON at position 12 (line 2 column 3)".
    const message = error instanceof Error ? error.message : String(error);
    const line = /\(line (\d+) column/.exec(message)?.[1] ?? text.split('\n').length;
    throw invalidRecord(Number(line), `is not valid JSON: ${message.replace(/ in JSON at.*/s, '').slice(0, 120)}`);
  }
}

/** The line on which each element of the outermost list of valid JSON begins. */
function elementLines(text: string): number[] {
  const lines: number[] = [];
  let line = 1;
  let depth = 0;
  let awaited = false;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},\n]|[^\s[\]{},"]+/g)) {
    if (token === '\n') {
      line += 1;
      continue;
    }
    if (awaited && depth === 1 && token !== ']') {
      lines.push(line);
      awaited = false;
    }
    if (token === '[' || token === '{') depth += 1;
    if (token === ']' || token === '}') depth -= 1;
    if (depth === 1 && (token === ',' || (token === '[' && lines.length === 0))) awaited = true;
  }
  return lines;
}
