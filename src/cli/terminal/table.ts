import type { Paint, Style } from './style.ts';
import { visible } from './style.ts';

export interface Cell {
  readonly text: string;
  readonly style?: Style;
}

export interface Column {
  readonly heading: string;
  readonly align?: 'left' | 'right';
  /** Columns with the highest number are left out first where there is no room; those without are kept. */
  readonly dispensable?: number;
}

const gap = '  ';

/**
 * Rows under headings in aligned columns, without trailing spaces. Columns in which nothing stands are left out, and so are
 * dispensable ones while a line would be wider than `width`.
 */
export function tableLines(columns: readonly Column[], rows: readonly (readonly Cell[])[], paint: Paint, width = Infinity): string[] {
  const texts = rows.map((row) => row.map((cell) => visible(cell.text)));
  const kept = columns.map((_, index) => index).filter((index) => texts.some((row) => row[index] !== ''));
  const widthOf = (index: number): number => Math.max(columns[index]!.heading.length, ...texts.map((row) => row[index]!.length));
  const total = (): number => kept.reduce((sum, index) => sum + widthOf(index), gap.length * (kept.length - 1));
  while (total() > width) {
    const least = kept.reduce((a, b) => ((columns[b]!.dispensable ?? 0) > (columns[a]!.dispensable ?? 0) ? b : a), kept[0]!);
    if (columns[least]!.dispensable === undefined) break;
    kept.splice(kept.indexOf(least), 1);
  }
  const line = (text: (index: number) => string, style: (index: number) => Style): string =>
    kept
      .map((index, place) => {
        const padding = ' '.repeat(widthOf(index) - text(index).length);
        const painted = paint(text(index), style(index));
        if (columns[index]!.align === 'right') return padding + painted;
        return place === kept.length - 1 ? painted : painted + padding;
      })
      .join(gap);
  return [
    line(
      (index) => columns[index]!.heading,
      () => 'dim',
    ),
    ...rows.map((row, number) =>
      line(
        (index) => texts[number]![index]!,
        (index) => row[index]!.style ?? 'plain',
      ),
    ),
  ].map((text) => text.trimEnd());
}
