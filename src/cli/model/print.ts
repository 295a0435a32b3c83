import type { ModelAnswer } from '../../model/file/answer.ts';
import { reportOf } from '../../model/report/report-of.ts';
import type { Block, Fact, ReportSection, ReportTable } from '../../model/report/report.ts';
import type { Paint } from '../terminal/style.ts';
import { visible } from '../terminal/style.ts';
import { tableLines } from '../terminal/table.ts';

/** Rows of lists that are told; all of them stand in --json. */
const rowsMax = 15;

/** The answers to a model for people. */
export function modelLines(answer: ModelAnswer, paint: Paint, width = Infinity): string[] {
  return reportLines(reportOf(answer), paint, width);
}

/** What is told under headings, for a terminal. */
export function reportLines(
  { name, sections }: { readonly name?: string; readonly sections: readonly Pick<ReportSection, 'title' | 'blocks'>[] },
  paint: Paint,
  width = Infinity,
): string[] {
  const titled = sections.map(({ title, blocks }) => [
    paint(visible(title), 'strong'),
    ...blocks.flatMap((block) => blockLines(block, paint, width)),
  ]);
  const parts = name === undefined ? titled : [[paint(visible(name), 'strong')], ...titled];
  return parts.flatMap((lines, index) => (index === 0 ? lines : ['', ...lines]));
}

function blockLines(block: Block, paint: Paint, width: number): string[] {
  switch (block.kind) {
    case 'text':
      return [`  ${visible(block.text)}`];
    case 'facts':
      return factLines(block.facts);
    case 'table':
      return ['', ...rowLines(block.table, paint, width)];
    case 'assumptions':
      return ['', paint('  Taken for granted:', 'dim'), ...block.assumptions.map((each) => paint(`  - ${visible(each)}`, 'dim'))];
  }
}

function factLines(facts: readonly Fact[]): string[] {
  const longest = Math.max(...facts.map(([name]) => name.length));
  return facts.map(([name, value]) => visible(`  ${name.padEnd(longest)}  ${value}`));
}

function rowLines({ columns, rows }: ReportTable, paint: Paint, width: number): string[] {
  const headed = columns.map((column) => ({ ...column, heading: column.heading.toUpperCase() }));
  const told = rows.slice(0, rowsMax).map((row) => row.map((text) => ({ text })));
  const more = rows.length > rowsMax ? [`  … and ${rows.length - rowsMax} more (--json has them)`] : [];
  return [...tableLines(headed, told, paint, width - 2).map((line) => `  ${line}`), ...more];
}
