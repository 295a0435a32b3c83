import { at, box, boxSize, label, line, path, textWidth } from './drawing.ts';
import type { Markup } from './markup.ts';
import { markup } from './markup.ts';
import type { Sketch } from './sketch.ts';

const margin = 16;
const gap = 34;
const rowGap = 12;
/** Symbols of gates, and of what ends a branch. */
const gateSize = { width: 46, height: 34 };
const endSize = 26;

/** A node with where it stands: `y` is its middle. */
interface Placed {
  readonly sketch: Sketch;
  readonly depth: number;
  readonly y: number;
  readonly below: readonly Placed[];
}

/**
 * A fault tree that lies on its side, the top event at the left: so it grows downwards with the number of events and can be read and printed.
 * Symbols as in the Fault Tree Handbook (NUREG-0492, IV): circles are basic events, diamonds what is not drawn out, triangles what is drawn elsewhere.
 */
export function faultTree(sketch: Sketch): { readonly width: number; readonly height: number; readonly drawing: Markup } {
  let next = margin;
  const widths: number[] = [];
  const place = (node: Sketch, depth: number): Placed => {
    widths[depth] = Math.max(widths[depth] ?? 0, widthOf(node));
    const below = node.kind === 'gate' ? node.of.map((part) => place(part, depth + 1)) : [];
    if (below.length > 0) return { sketch: node, depth, below, y: (below[0]!.y + below.at(-1)!.y) / 2 };
    const { height } = boxSize(boxOf(node));
    const y = next + height / 2;
    next += height + rowGap;
    return { sketch: node, depth, y, below };
  };
  const top = place(sketch, 0);
  const lefts = [margin];
  for (const width of widths) lefts.push(lefts.at(-1)! + width + gap);
  return {
    width: Math.ceil(lefts.at(-1)! - gap + margin),
    height: Math.ceil(next - rowGap + margin),
    drawing: drawn(top, lefts),
  };
}

function drawn(node: Placed, lefts: readonly number[]): Markup {
  const { sketch, depth, y, below } = node;
  const left = lefts[depth]!;
  const named = sketch.kind !== 'gate' || sketch.name !== undefined;
  const boxWidth = named ? boxSize(boxOf(sketch)).width : 0;
  const symbolAt = left + boxWidth + (named ? 8 : 0);
  const end = symbolAt + (sketch.kind === 'gate' ? gateWidth(sketch) : endSize);
  const bus = lefts[depth + 1]! - gap / 2;
  const links = below.map((child) =>
    line([
      [bus, child.y],
      [lefts[depth + 1]!, child.y],
    ]),
  );
  const trunk =
    below.length > 0 &&
    markup`${line([
      [end, y],
      [bus, y],
    ])}${line([
      [bus, below[0]!.y],
      [bus, below.at(-1)!.y],
    ])}`;
  const stub =
    named &&
    line([
      [left + boxWidth, y],
      [symbolAt, y],
    ]);
  return markup`${trunk}${links}${named && box(left, y, boxOf(sketch))}${stub}${symbol(sketch, symbolAt, y)}${below.map((child) => drawn(child, lefts))}`;
}

function widthOf(sketch: Sketch): number {
  if (sketch.kind !== 'gate') return boxSize(boxOf(sketch)).width + 8 + endSize;
  return gateWidth(sketch) + (sketch.name === undefined ? 0 : boxSize(boxOf(sketch)).width + 8);
}

function boxOf(sketch: Sketch) {
  if (sketch.kind === 'gate') return { name: sketch.name ?? '', note: '' };
  return { name: sketch.name, note: sketch.note, dashed: sketch.kind === 'folded' || sketch.again === true };
}

type GateSketch = Extract<Sketch, { kind: 'gate' }>;

/** What stands in the symbol of a gate: how many of its parts have to fail. */
function gateText({ gate, k, count }: GateSketch): string {
  switch (gate) {
    case 'series':
    case 'or':
      return 'OR';
    case 'parallel':
    case 'and':
      return 'AND';
    case 'k-of-n':
      return `${count - k! + 1} of ${count}`;
    case 'atleast':
      return `${k} of ${count}`;
    default:
      return gate.toUpperCase();
  }
}

function gateWidth(sketch: GateSketch): number {
  return Math.max(gateSize.width, textWidth(gateText(sketch), true) + 22);
}

function symbol(sketch: Sketch, x: number, y: number): Markup {
  if (sketch.kind === 'gate') return gateSymbol(sketch, x, y);
  const r = endSize / 2;
  const [cx, end] = [x + r, x + endSize];
  if (sketch.kind === 'folded' && sketch.note === 'as drawn elsewhere')
    return path(`M${at(x)} ${at(y)}L${at(end)} ${at(y - r)}V${at(y + r)}Z`, 'box');
  if (sketch.kind === 'folded') return path(`M${at(x)} ${at(y)}L${at(cx)} ${at(y - r)}L${at(end)} ${at(y)}L${at(cx)} ${at(y + r)}Z`, 'box');
  if (sketch.house === true) return path(`M${at(x)} ${at(y)}L${at(cx)} ${at(y - r)}H${at(end)}V${at(y + r)}H${at(cx)}Z`, 'box');
  return markup`<circle class="box" cx="${at(cx)}" cy="${at(y)}" r="${r}"/>\n`;
}

/** AND is round towards what it causes, OR pointed; what counts is a hexagon; what negates has a ring. */
function gateSymbol(sketch: GateSketch, x: number, y: number): Markup {
  const width = gateWidth(sketch);
  const [end, h] = [x + width, gateSize.height / 2];
  const said = label((x + end) / 2, y + 4, gateText(sketch), { style: 'small' });
  const shape = (): string => {
    switch (sketch.gate) {
      case 'parallel':
      case 'and':
      case 'nand':
        return `M${at(end)} ${at(y - h)}H${at(x + h)}A${h} ${h} 0 0 0 ${at(x + h)} ${at(y + h)}H${at(end)}Z`;
      case 'k-of-n':
      case 'atleast':
        return `M${at(x)} ${at(y)}L${at(x + 10)} ${at(y - h)}H${at(end - 10)}L${at(end)} ${at(y)}L${at(end - 10)} ${at(y + h)}H${at(x + 10)}Z`;
      case 'not':
        return `M${at(x)} ${at(y)}L${at(end)} ${at(y - h)}V${at(y + h)}Z`;
      default:
        return `M${at(end)} ${at(y - h)}Q${at(end - 9)} ${at(y)} ${at(end)} ${at(y + h)}Q${at(x + 14)} ${at(y + h)} ${at(x)} ${at(y)}Q${at(x + 14)} ${at(y - h)} ${at(end)} ${at(y - h)}Z`;
    }
  };
  const negates = ['not', 'nand', 'nor'].includes(sketch.gate);
  return markup`${path(shape(), 'box')}${negates && markup`<circle class="box" cx="${at(x - 1)}" cy="${at(y)}" r="4"/>`}${said}`;
}
