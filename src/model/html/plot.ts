import type { Axis } from './axis.ts';
import { at, label, line } from './drawing.ts';
import type { Markup } from './markup.ts';
import { markup } from './markup.ts';
import { seriesCount } from './style.ts';

export interface Series {
  readonly name: string;
  /** As the axes take them, ascending by x. */
  readonly points: readonly (readonly [x: number, y: number])[];
  /** From where to where the true value lies, at each point. */
  readonly intervals?: readonly (readonly [low: number, high: number])[];
}

const inner = { left: 96, top: 20, width: 700, height: 300 };
const legendHeight = 22;
/** Up to so many points, each is marked. */
const markedMax = 15;
/** What tells series apart besides their colours. */
const dashes = ['', '9 5', '2 5', '12 4 2 4', '5 3', '1 4'];

/** Lines over two axes, with a legend where there are several. */
export function plot(
  x: Axis,
  y: Axis,
  series: readonly Series[],
): { readonly width: number; readonly height: number; readonly drawing: Markup } {
  const px = (share: number) => inner.left + share * inner.width;
  const py = (share: number) => inner.top + (1 - share) * inner.height;
  const bottom = inner.top + inner.height;
  const grid = markup`${y.ticks.map(
    ({ share, text }) =>
      markup`${line(
        [
          [inner.left, py(share)],
          [inner.left + inner.width, py(share)],
        ],
        'grid',
      )}${label(inner.left - 8, py(share) + 4, text, { anchor: 'end', style: 'small' })}`,
  )}${x.ticks.map(
    ({ share, text }) =>
      markup`${line(
        [
          [px(share), bottom],
          [px(share), bottom + 5],
        ],
        'line',
      )}${label(px(share), bottom + 19, text, { style: 'small' })}`,
  )}`;
  const frame = line([
    [inner.left, inner.top],
    [inner.left, bottom],
    [inner.left + inner.width, bottom],
  ]);
  const titles = markup`${label(inner.left + inner.width / 2, bottom + 40, x.title, { style: 'soft' })}${label(inner.left, 12, y.title, { anchor: 'start', style: 'soft' })}`;
  const curves = series.map((each, index) =>
    curve(
      each,
      index,
      (value) => px(x.share(value)),
      (value) => py(y.share(value)),
    ),
  );
  const legend = series.length > 1 && series.map((each, index) => legendEntry(each.name, index, bottom + 58 + index * legendHeight));
  return {
    width: inner.left + inner.width + 40,
    height: bottom + 52 + (series.length > 1 ? series.length * legendHeight : 0),
    drawing: markup`${grid}${frame}${titles}${curves}${legend}`,
  };
}

function curve(series: Series, index: number, px: (value: number) => number, py: (value: number) => number): Markup {
  const points = series.points.map(([x, y]) => [px(x), py(y)] as const);
  const style = `curve s${index % seriesCount}`;
  const shape = points.map(([x, y], place) => `${place === 0 ? 'M' : 'L'}${at(x)} ${at(y)}`).join('');
  const marks =
    points.length <= markedMax &&
    points.map(([x, y]) => markup`<circle class="mark s${index % seriesCount}" cx="${at(x)}" cy="${at(y)}" r="4"/>\n`);
  const intervals = series.intervals?.map(([low, high], place) =>
    line(
      [
        [points[place]![0], py(low)],
        [points[place]![0], py(high)],
      ],
      style,
    ),
  );
  return markup`<path class="${style}"${dashOf(index)} d="${shape}"/>\n${intervals}${marks}`;
}

function legendEntry(name: string, index: number, y: number): Markup {
  return markup`<path class="curve s${index % seriesCount}"${dashOf(index)} d="M${inner.left} ${y - 4}H${inner.left + 34}"/>
${label(inner.left + 44, y, name, { anchor: 'start', style: 'small' })}`;
}

function dashOf(index: number): Markup | false {
  const dash = dashes[index % dashes.length]!;
  return dash !== '' && markup` stroke-dasharray="${dash}"`;
}
