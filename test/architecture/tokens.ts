/** One token of TypeScript source: enough to find imports, calls and literals without being misled by comments and strings. */
export interface Token {
  readonly kind: 'word' | 'string' | 'mark';
  /** Of a string: what is between the quotes, as written. Of a template: the text of its first piece. */
  readonly text: string;
  /** From 1. */
  readonly line: number;
}

/** What may stand before a regular expression: after anything else a slash divides. */
const beforeRegex = /^(?:[(,=:[!&|?{};+\-*%~^<>]|return|typeof|case|in|of|do|else|void|delete|throw|new|await|yield)$/;

/** The tokens of a source file. Comments and regular expressions are left out; code inside `${…}` of templates is included. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  /** Open braces of the code inside each template's `${…}`, innermost last. */
  const templates: number[] = [];
  let position = 0;
  let line = 1;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = position;
    const text = pattern.exec(source)?.[0];
    if (text === undefined) return undefined;
    position += text.length;
    line += text.split('\n').length - 1;
    return text;
  };
  const push = (kind: Token['kind'], text: string, at: number): void => void tokens.push({ kind, text, line: at });
  const takeTemplatePiece = (at: number): void => {
    const piece = take(/(?:\\[\s\S]|\$(?!\{)|[^`\\$])*/y) ?? '';
    push('string', piece, at);
    if (take(/\$\{/y)) templates.push(0);
    else take(/`/y);
  };
  while (position < source.length) {
    const at = line;
    if (take(/\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\//y) !== undefined) continue;
    const string = take(/'(?:\\[\s\S]|[^'\\\n])*'|"(?:\\[\s\S]|[^"\\\n])*"/y);
    const word = string === undefined ? take(/[\w$#]+/y) : undefined;
    if (string !== undefined) push('string', string.slice(1, -1), at);
    else if (word !== undefined) push('word', word, at);
    else if (take(/`/y)) takeTemplatePiece(at);
    else if (isRegexNext(tokens.at(-1)) && take(/\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/y)) continue;
    else {
      const mark = take(/[\s\S]/y)!;
      if (mark === '{' && templates.length > 0) templates.push(templates.pop()! + 1);
      if (mark === '}' && templates.length > 0) {
        const open = templates.pop()!;
        if (open === 0) {
          takeTemplatePiece(at);
          continue;
        }
        templates.push(open - 1);
      }
      push('mark', mark, at);
    }
  }
  return tokens;
}

function isRegexNext(previous: Token | undefined): boolean {
  return !previous || (previous.kind !== 'string' && beforeRegex.test(previous.text));
}
