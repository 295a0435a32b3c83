import type { Content, Markup } from './markup.ts';
import { markup } from './markup.ts';

// What all diagrams are drawn with. Lengths are SVG units, which are pixels at full size.

/** Mean width of a character at 13 units; wide letters make up for narrow ones. */
const characterWidth = 7.2;
const smallScale = 11 / 13;

/** How wide text will be: an estimate, as nobody measures fonts here. */
export function textWidth(text: string, small = false): number {
  return text.length * characterWidth * (small ? smallScale : 1);
}

const segmenter = new Intl.Segmenter('en');

/** Text that fits into so many characters; what is cut off shows as a dot-dot-dot. */
export function clipped(text: string, characters: number): string {
  if (text.length <= characters) return text;
  const graphemes = Array.from(segmenter.segment(text), ({ segment }) => segment);
  return graphemes.length <= characters ? text : `${graphemes.slice(0, characters - 1).join('')}…`;
}

/** A number with one decimal at most: files stay small. */
export function at(value: number): number {
  return Math.round(value * 10) / 10;
}

export interface LabelOptions {
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly style?: string;
}

export function label(x: number, y: number, text: Content, { anchor = 'middle', style }: LabelOptions = {}): Markup {
  return markup`<text x="${at(x)}" y="${at(y)}" text-anchor="${anchor}"${style !== undefined && markup` class="${style}"`}>${text}</text>\n`;
}

/** A line through points. */
export function line(points: readonly (readonly [x: number, y: number])[], style = 'line'): Markup {
  return markup`<path class="${style}" d="${points.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${at(x)} ${at(y)}`).join('')}"/>\n`;
}

export function path(shape: string, style: string): Markup {
  return markup`<path class="${style}" d="${shape}"/>\n`;
}

/** Letters of the two lines in a box. */
const nameMax = 24;
const noteMax = 42;
const boxHeight = 44;

export interface Box {
  readonly name: string;
  readonly note: string;
  /** Drawn with dashes: it stands elsewhere, too, or is not drawn out. */
  readonly dashed?: boolean;
}

export function boxSize({ name, note }: Box): { readonly width: number; readonly height: number } {
  const widest = Math.max(textWidth(clipped(name, nameMax)), textWidth(clipped(note, noteMax), true));
  return { width: Math.max(64, Math.ceil(widest + 20)), height: note === '' ? boxHeight - 12 : boxHeight };
}

/** A box with its left edge at `x` and its middle at `y`; the whole text is its title. */
export function box(x: number, y: number, part: Box): Markup {
  const { width, height } = boxSize(part);
  const middle = x + width / 2;
  const { name, note, dashed } = part;
  return markup`<g><title>${note === '' ? name : `${name}: ${note}`}</title>
<rect class="box" x="${at(x)}" y="${at(y - height / 2)}" width="${width}" height="${height}" rx="4"${dashed && markup` stroke-dasharray="5 4"`}/>
${label(middle, note === '' ? y + 4.5 : y - 3, clipped(name, nameMax), { style: 'strong' })}
${note !== '' && label(middle, y + 13, clipped(note, noteMax), { style: 'small soft' })}</g>
`;
}
