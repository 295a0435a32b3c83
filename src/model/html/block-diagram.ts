import type { Box } from './drawing.ts';
import { box, boxSize, label, line, textWidth } from './drawing.ts';
import type { Markup } from './markup.ts';
import { markup } from './markup.ts';
import type { Sketch } from './sketch.ts';

/** A part of the diagram: its size, at which heights the line enters and leaves it, and how to draw it with its upper left corner somewhere. */
interface Laid {
  readonly width: number;
  readonly height: number;
  readonly axis: number;
  readonly exit: number;
  readonly draw: (x: number, y: number) => Markup;
}

const gap = 22;
/** Between what stands above each other. */
const rowGap = 14;
/** From where lines part to the first box. */
const fork = 18;
/** A row of the whole diagram may be so wide; what is in series goes on in the next. */
const rowWidth = 1020;
const margin = 16;

/** A reliability block diagram: from left to right, whatever works lets through. */
export function blockDiagram(sketch: Sketch): { readonly width: number; readonly height: number; readonly drawing: Markup } {
  const whole = laid(sketch, rowWidth);
  const [left, top] = [margin + gap, margin];
  const axis = top + whole.axis;
  const end = left + whole.width;
  return {
    width: Math.ceil(end + gap + margin),
    height: Math.ceil(whole.height + 2 * margin),
    drawing: markup`${line([
      [margin, axis],
      [left, axis],
    ])}${whole.draw(left, top)}${line([
      [end, top + whole.exit],
      [end + gap, top + whole.exit],
    ])}${dot(margin, axis)}${dot(end + gap, top + whole.exit)}`,
  };
}

function dot(x: number, y: number): Markup {
  return markup`<circle cx="${x}" cy="${y}" r="4" class="mark s0"/>\n`;
}

function laid(sketch: Sketch, widest = Infinity): Laid {
  if (sketch.kind !== 'gate')
    return single({ name: sketch.name, note: sketch.note, dashed: sketch.kind === 'folded' || sketch.again === true });
  const parts = sketch.of.map((part) => laid(part));
  if (sketch.gate === 'series') return wrapped(parts, widest);
  return stacked(parts, sketch.gate === 'k-of-n' ? `${sketch.k} of ${sketch.count}` : '');
}

function single(part: Box): Laid {
  const { width, height } = boxSize(part);
  return { width, height, axis: height / 2, exit: height / 2, draw: (x, y) => box(x, y + height / 2, part) };
}

function inRow(parts: readonly Laid[]): Laid {
  const axis = Math.max(...parts.map((part) => part.axis));
  const below = Math.max(...parts.map(({ height, axis: own }) => height - own));
  const width = parts.reduce((sum, part) => sum + part.width, gap * (parts.length - 1));
  return {
    width,
    height: axis + below,
    axis,
    exit: axis,
    draw: (x, y) => {
      let from = x;
      return markup`${parts.map((part, index) => {
        const drawn = markup`${part.draw(from, y + axis - part.axis)}${
          index > 0 &&
          line([
            [from - gap, y + axis],
            [from, y + axis],
          ])
        }`;
        from += part.width + gap;
        return drawn;
      })}`;
    },
  };
}

/** In series, in as many rows as are needed. */
function wrapped(parts: readonly Laid[], widest: number): Laid {
  const rows: Laid[][] = [];
  let used = Infinity;
  for (const part of parts) {
    if (used + gap + part.width > widest) {
      rows.push([]);
      used = -gap;
    }
    rows.at(-1)!.push(part);
    used += gap + part.width;
  }
  const lines = rows.map(inRow);
  if (lines.length === 1) return lines[0]!;
  const width = Math.max(...lines.map((row) => row.width));
  const tops = offsets(lines, 2 * rowGap);
  return {
    width,
    height: tops.at(-1)! + lines.at(-1)!.height,
    axis: lines[0]!.axis,
    exit: tops.at(-1)! + lines.at(-1)!.axis,
    draw: (x, y) =>
      markup`${lines.map((row, index) => {
        const top = y + tops[index]!;
        const next = lines[index + 1];
        const end = next === undefined ? width : row.width + gap / 2;
        const out = line([
          [x + row.width, top + row.axis],
          [x + end, top + row.axis],
        ]);
        if (next === undefined) return markup`${row.draw(x, top)}${out}`;
        const between = y + tops[index + 1]! - rowGap;
        const turn = line([
          [x + end, top + row.axis],
          [x + end, between],
          [x - gap / 2, between],
          [x - gap / 2, y + tops[index + 1]! + next.axis],
          [x, y + tops[index + 1]! + next.axis],
        ]);
        return markup`${row.draw(x, top)}${out}${turn}`;
      })}`,
  };
}

/** Side by side, of which one or so many are needed. */
function stacked(parts: readonly Laid[], needed: string): Laid {
  const inner = Math.max(...parts.map((part) => part.width));
  const tops = offsets(parts, rowGap);
  const height = tops.at(-1)! + parts.at(-1)!.height;
  const axes = parts.map((part, index) => tops[index]! + part.axis);
  const axis = (axes[0]! + axes.at(-1)!) / 2;
  const behind = needed === '' ? fork : Math.max(fork, textWidth(needed, true) + 10);
  const width = fork + inner + fork + behind;
  return {
    width,
    height,
    axis,
    exit: axis,
    draw: (x, y) => {
      const [start, end] = [x + fork / 2, x + fork + inner + fork / 2];
      const branches = parts.map((part, index) => {
        const left = x + fork + (inner - part.width) / 2;
        const at = y + axes[index]!;
        return markup`${line([
          [start, at],
          [left, at],
        ])}${part.draw(left, y + tops[index]!)}${line([
          [left + part.width, at],
          [end, at],
        ])}`;
      });
      const bar = (at: number) =>
        line([
          [at, y + axes[0]!],
          [at, y + axes.at(-1)!],
        ]);
      return markup`${branches}${bar(start)}${bar(end)}${line([
        [x, y + axis],
        [start, y + axis],
      ])}${line([
        [end, y + axis],
        [x + width, y + axis],
      ])}${needed !== '' && label(end + 5, y + axis - 6, needed, { anchor: 'start', style: 'small' })}`;
    },
  };
}

function offsets(parts: readonly Laid[], between: number): number[] {
  let next = 0;
  return parts.map(({ height }) => {
    const top = next;
    next += height + between;
    return top;
  });
}
