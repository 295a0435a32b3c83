/** What is told of a model, before it is laid out for a terminal or a page. */
export interface Report {
  readonly name?: string;
  readonly sections: readonly ReportSection[];
}

export interface ReportSection {
  /** What the model calls it. */
  readonly of: { readonly part: 'structure' } | { readonly part: 'chains' | 'storage' | 'recovery'; readonly name: string };
  readonly title: string;
  readonly blocks: readonly Block[];
}

export type Block =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'facts'; readonly facts: readonly Fact[] }
  | { readonly kind: 'table'; readonly table: ReportTable }
  | { readonly kind: 'assumptions'; readonly assumptions: readonly string[] };

export type Fact = readonly [name: string, value: string];

export interface ReportTable {
  readonly caption: string;
  readonly columns: readonly ReportColumn[];
  readonly rows: readonly (readonly string[])[];
}

export interface ReportColumn {
  readonly heading: string;
  readonly align?: 'right';
  /** Columns with the highest number are left out first where there is no room; those without are kept. */
  readonly dispensable?: number;
}

export function text(said: string): Block {
  return { kind: 'text', text: said };
}

/** Facts that there are; none where there are none. */
export function facts(...all: readonly (Fact | false)[]): Block[] {
  const told = all.filter((fact) => fact !== false);
  return told.length === 0 ? [] : [{ kind: 'facts', facts: told }];
}

export function table(caption: string, columns: readonly ReportColumn[], rows: readonly (readonly string[])[]): Block {
  return { kind: 'table', table: { caption, columns, rows } };
}

export function column(heading: string): ReportColumn {
  return { heading };
}

/** A column of numbers. */
export function figures(heading: string, dispensable?: number): ReportColumn {
  return { heading, align: 'right', ...(dispensable === undefined ? {} : { dispensable }) };
}
