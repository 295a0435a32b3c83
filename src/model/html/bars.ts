import { clipped, label, line, textWidth } from './drawing.ts';
import type { Markup } from './markup.ts';
import { markup } from './markup.ts';

export interface Bar {
  readonly name: string;
  /** 0 or more. */
  readonly value: number;
  /** What stands at its end. */
  readonly text: string;
}

const barHeight = 18;
const rowHeight = 26;
const nameMax = 36;
const barsWidth = 520;

/** Bars that lie, from the longest of all to none. */
export function bars(all: readonly Bar[]): { readonly width: number; readonly height: number; readonly drawing: Markup } {
  const left = 16 + Math.max(...all.map(({ name }) => textWidth(clipped(name, nameMax))));
  const longest = Math.max(...all.map(({ value }) => value), Number.MIN_VALUE);
  const behind = Math.max(...all.map(({ text }) => textWidth(text, true)));
  const rows = all.map(({ name, value, text }, index) => {
    const y = 8 + index * rowHeight;
    // What is not nothing can be seen.
    const width = value === 0 ? 0 : Math.max(1, (value / longest) * barsWidth);
    return markup`<g><title>${name}: ${text}</title>
${label(left - 8, y + 13.5, clipped(name, nameMax), { anchor: 'end' })}<rect class="bar s0" x="${left}" y="${y}" width="${width}" height="${barHeight}"/>
${label(left + width + 6, y + 13, text, { anchor: 'start', style: 'small' })}</g>
`;
  });
  const height = 12 + all.length * rowHeight;
  const axis = line([
    [left, 2],
    [left, height - 4],
  ]);
  return { width: Math.ceil(left + barsWidth + 12 + behind), height, drawing: markup`${rows}${axis}` };
}
