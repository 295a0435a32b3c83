import type { Chain } from '../chain/chain.ts';
import { hours, number } from '../format.ts';
import { at, clipped, label, textWidth } from './drawing.ts';
import type { Content, Markup } from './markup.ts';
import { markup } from './markup.ts';

/** A chain as it is drawn. */
export interface ChartedChain extends Chain {
  readonly up: Uint8Array;
  readonly initial: Float64Array;
}

/** States that can be drawn so that somebody can follow the arrows. */
export const drawnStatesMax = 60;
/** Up to so many arrows, each has its rate beside it. */
const ratedMax = 40;

const margin = 20;
const rowHeight = 84;
const nodeHeight = 36;
const columnGap = 96;

interface Node {
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

/** Letters of a state's name; all of it is its title. */
const nameMax = 36;

/** States in columns by how many steps they are from the beginning; arrows forth run above, arrows back below. */
export function stateChart(id: string, chain: ChartedChain): { readonly width: number; readonly height: number; readonly drawing: Markup } {
  const columns = columnsOf(chain);
  const widthOf = (state: number) => Math.max(56, textWidth(clipped(chain.nameOf(state), nameMax)) + 22);
  const widths = columns.map((states) => Math.max(...states.map(widthOf)));
  const tallest = Math.max(...columns.map((states) => states.length));
  const nodes: Node[] = [];
  let left = margin;
  for (const [column, states] of columns.entries()) {
    const top = margin + ((tallest - states.length) * rowHeight) / 2 + rowHeight / 2;
    for (const [row, state] of states.entries())
      nodes[state] = { x: left + widths[column]! / 2, y: top + row * rowHeight, width: widthOf(state) };
    left += widths[column]! + columnGap;
  }
  const edges = edgesOf(chain);
  const rated = edges.length <= ratedMax;
  const arrows = edges.map(({ from, to, rate }) => arrow(nodes[from]!, nodes[to]!, rated ? rateText(rate) : '', id));
  const boxes = nodes.map((node, state) => stateBox(node, chain.nameOf(state), chain.up[state] === 1, chain.initial[state]! > 0));
  return { width: left - columnGap + margin, height: 2 * margin + tallest * rowHeight, drawing: markup`${arrowHead(id)}${arrows}${boxes}` };
}

function arrowHead(id: string): Markup {
  return markup`<defs><marker id="${id}-arrow" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 .5L8 4L0 7.5Z" class="arrowhead"/></marker></defs>
`;
}

export interface Edge {
  readonly from: number;
  readonly to: number;
  readonly rate: number;
}

export function edgesOf({ size, rowStart, target, rate }: Chain): Edge[] {
  const edges: Edge[] = [];
  for (let from = 0; from < size; from++) {
    for (let entry = rowStart[from]!; entry < rowStart[from + 1]!; entry++) edges.push({ from, to: target[entry]!, rate: rate[entry]! });
  }
  return edges;
}

/** Per hour; or the mean time until then, where that is what people write. */
export function rateText(rate: number): string {
  return rate >= 0.01 ? `${number(rate, 4)}/h` : `1/${hours(1 / rate)}`;
}

/** By steps from where it begins; within a column near to what they are joined to. */
function columnsOf(chain: ChartedChain): number[][] {
  const depth = new Int32Array(chain.size).fill(-1);
  let current = Array.from({ length: chain.size }, (_, state) => state).filter((state) => chain.initial[state]! > 0);
  const columns: number[][] = [];
  while (current.length > 0) {
    for (const state of current) depth[state] = columns.length;
    columns.push(current);
    const reached = current.flatMap((state) => [...chain.target.subarray(chain.rowStart[state], chain.rowStart[state + 1])]);
    current = [...new Set(reached)].filter((state) => depth[state] === -1);
  }
  const apart = Array.from({ length: chain.size }, (_, state) => state).filter((state) => depth[state] === -1);
  if (apart.length > 0) columns.push(apart);
  return sortedByNeighbours(columns, chain);
}

/** Barycentres of what leads there from the column before (Sugiyama, Tagawa, Toda 1981): fewer arrows cross. */
function sortedByNeighbours(columns: readonly number[][], chain: Chain): number[][] {
  const row = new Map<number, number>();
  const edges = edgesOf(chain);
  return columns.map((states) => {
    const centre = (state: number): number => {
      const rows = edges.flatMap(({ from, to }) => (to === state && row.has(from) ? [row.get(from)!] : []));
      return rows.length === 0 ? 0 : rows.reduce((sum, each) => sum + each, 0) / rows.length;
    };
    const centres = new Map(states.map((state) => [state, centre(state)]));
    const sorted = states.toSorted((a, b) => centres.get(a)! - centres.get(b)! || a - b);
    for (const [index, state] of sorted.entries()) row.set(state, index - (sorted.length - 1) / 2);
    return sorted;
  });
}

function stateBox({ x, y, width }: Node, name: string, up: boolean, begins: boolean): Markup {
  const [left, top] = [at(x - width / 2), at(y - nodeHeight / 2)];
  const inner: Content =
    !up && markup`<rect class="line" x="${left + 4}" y="${top + 4}" width="${at(width - 8)}" height="${nodeHeight - 8}" rx="14"/>\n`;
  return markup`<g><title>${name}: ${up ? 'up' : 'down'}${begins ? ', begins here' : ''}</title>
<rect class="box ${up ? 's0' : 's1'} state${begins && ' begins'}" x="${left}" y="${top}" width="${at(width)}" height="${nodeHeight}" rx="18"/>
${inner}${label(x, y + 4.5, clipped(name, nameMax), { style: begins ? 'strong' : 'plain' })}</g>
`;
}

/** A curve to the right of its direction, so that there and back are two. */
function arrow(from: Node, to: Node, text: string, id: string): Markup {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = Math.hypot(dx, dy);
  const bend = Math.min(46, 14 + length / 14);
  const control = { x: (from.x + to.x) / 2 + (dy / length) * bend, y: (from.y + to.y) / 2 - (dx / length) * bend };
  const [start, end] = [edgeOf(from, control), edgeOf(to, control)];
  const middle = { x: start.x / 4 + control.x / 2 + end.x / 4, y: start.y / 4 + control.y / 2 + end.y / 4 };
  const aside = dx >= 0 ? -5 : 13;
  return markup`<path class="line" marker-end="url(#${id}-arrow)" d="M${at(start.x)} ${at(start.y)}Q${at(control.x)} ${at(control.y)} ${at(end.x)} ${at(end.y)}"/>
${text !== '' && label(middle.x, middle.y + aside, text, { style: 'small soft halo' })}`;
}

/** Where the straight line from the middle of a state towards a point leaves its box. */
function edgeOf({ x, y, width }: Node, towards: { readonly x: number; readonly y: number }): { x: number; y: number } {
  const [dx, dy] = [towards.x - x, towards.y - y];
  const scale = Math.min(width / 2 / Math.max(1e-9, Math.abs(dx)), nodeHeight / 2 / Math.max(1e-9, Math.abs(dy)));
  return { x: x + dx * scale, y: y + dy * scale };
}
