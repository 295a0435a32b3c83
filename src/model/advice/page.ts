import { percent, time } from '../format.ts';
import type { Content, Markup } from '../html/markup.ts';
import { markup } from '../html/markup.ts';
import { page, pairs, table } from '../html/page.ts';
import { seriesCount } from '../html/style.ts';
import type { Advice, AdvisedDesign } from './advise.ts';
import type { PlotAxis } from './axes.ts';
import { axesOf } from './axes.ts';
import { plotScript } from './plot-script.ts';
import { designFacts, frontRows, money, summary } from './report.ts';

/** Of the plot, in SVG units. */
const frame = { left: 96, top: 24, width: 760, height: 380 } as const;
/** Shapes tell numbers of members apart besides colours: outlines around 0, 0. */
const shapes = [
  'M-5.5 0a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0-11 0z',
  'M-5-5h10v10h-10z',
  'M0-6.5L6 5H-6z',
  'M0-6.5L6.5 0L0 6.5L-6.5 0z',
  'M-6-4L0 6.5L6-4z',
] as const;
/** The axes that are shown at first: cost and availability. */
const first = { x: 0, y: 1 } as const;

/**
 * Advice as one HTML document: the front as a plot whose axes can be chosen, as a table, and each design with its configuration.
 * @param write a configuration as YAML
 */
export function advicePage(advice: Advice, write: (value: unknown) => string): string {
  const { name, front, needs, figures, assumptions, currency } = advice;
  const axes = axesOf(advice);
  return page({
    title: name ?? 'Designs',
    lead: summary(advice),
    sections: [
      { title: 'The front', body: plotMarkup(front, axes, currency) },
      { title: 'As a table', body: frontMarkup(advice) },
      { title: 'Each design', body: front.map((each, rank) => designMarkup(each, rank, currency, write)) },
      ...(needs.length === 0 ? [] : [{ title: 'What the needs rule out', body: needsMarkup(advice) }]),
      { title: 'Taken for granted', body: markup`<ul>${assumptions.map((each) => markup`<li>${each}</li>`)}</ul>\n` },
      {
        title: 'Figures',
        body: table(
          'Figures that all of this was computed with',
          [{ heading: 'Figure' }, { heading: 'Value', align: 'right' }, { heading: 'Source' }],
          figures.map(({ figure, value, source }) => [figure, value, source]),
        ),
      },
    ],
    script: plotScript,
    data: { axes, frame },
  });
}

function plotMarkup(front: readonly AdvisedDesign[], axes: readonly PlotAxis[], currency: string): Markup {
  const groups = [...new Set(front.map(({ design }) => design.members))].toSorted((a, b) => a - b);
  const bottom = frame.top + frame.height;
  const legend = groups.map(
    (members, index) =>
      markup`<g transform="translate(${frame.left + 8 + index * 130} ${bottom + 64})">${shapeOf(index)}<text x="12" y="4.5">${members === 1 ? 'one member' : `${members} members`}</text></g>\n`,
  );
  const option = (at: number) => (axis: PlotAxis, index: number) =>
    markup`<option value="${index}"${index === at && markup` selected=""`}>${axis.title}</option>`;
  return markup`<div id="controls" hidden=""><p><label>Horizontal <select id="axis-x">${axes.map(option(first.x))}</select></label>
<label>Vertical <select id="axis-y">${axes.map(option(first.y))}</select></label></p>
<p class="soft">Arrow keys go from design to design, Enter shows one.</p></div>
<figure><svg id="plot" role="group" aria-labelledby="plot-title" aria-describedby="plot-desc" viewBox="0 0 ${frame.left + frame.width + 40} ${bottom + 84}" width="${frame.left + frame.width + 40}" height="${bottom + 84}">
<title id="plot-title">Designs that none does better than in everything</title>
<desc id="plot-desc">Each point is a design. Less is better on both axes: towards the lower left corner it costs less, and fails, lasts or loses less.</desc>
<g id="marks" aria-hidden="true">${marksMarkup(axes[first.x]!, axes[first.y]!)}</g>
<path class="line" d="M${frame.left} ${frame.top}V${bottom}H${frame.left + frame.width}"/>
<text id="title-x" class="soft" x="${frame.left + frame.width / 2}" y="${bottom + 40}" text-anchor="middle">${axes[first.x]!.title}</text>
<text id="title-y" class="soft" x="${frame.left}" y="14">${axes[first.y]!.title}</text>
${front.map((each, rank) => pointMarkup(each, rank, groups.indexOf(each.design.members), axes, currency))}
<g aria-hidden="true">${legend}</g></svg>
<figcaption id="told" aria-live="polite">${pointText(front[0]!, 0, currency)}</figcaption></figure>
`;
}

function marksMarkup(x: PlotAxis, y: PlotAxis): Content {
  const bottom = frame.top + frame.height;
  return [
    x.marks.map(({ share, text }) => {
      const at = px(share);
      return markup`<path class="line" d="M${at} ${bottom}v5"/><text class="small" x="${at}" y="${bottom + 19}" text-anchor="middle">${text}</text>\n`;
    }),
    y.marks.map(({ share, text }) => {
      const at = py(share);
      return markup`<path class="grid" d="M${frame.left} ${at}h${frame.width}"/><text class="small" x="${frame.left - 8}" y="${at + 4}" text-anchor="end">${text}</text>\n`;
    }),
  ];
}

const px = (share: number): number => Math.round((frame.left + share * frame.width) * 10) / 10;
const py = (share: number): number => Math.round((frame.top + (1 - share) * frame.height) * 10) / 10;

function pointMarkup(each: AdvisedDesign, rank: number, group: number, axes: readonly PlotAxis[], currency: string): Markup {
  const [x, y] = [px(axes[first.x]!.shares[rank]!), py(axes[first.y]!.shares[rank]!)];
  return markup`<a href="#design-${rank + 1}" aria-label="${pointText(each, rank, currency)}"><g transform="translate(${x} ${y})">${shapeOf(group)}</g></a>\n`;
}

function shapeOf(group: number): Markup {
  return markup`<path class="bar s${group % seriesCount}" stroke="currentColor" stroke-width="1" d="${shapes[group % shapes.length]}"/>`;
}

/** A design in a line. */
function pointText(
  { id, cost, unavailability, expectedRtaMs, expectedLoss, lossProbability }: AdvisedDesign,
  rank: number,
  currency: string,
): string {
  return `${rank + 1}. ${id}: ${money(cost)} ${currency} a year, ${percent(unavailability)} available, expected RTA ${time(expectedRtaMs)}, expected loss ${money(expectedLoss)} ${currency} a year, durability ${percent(lossProbability)}`;
}

function frontMarkup(advice: Advice): Markup {
  const { caption, columns, rows } = frontRows(advice);
  // What they miss is told where none meets all.
  const kept = advice.meeting === 0 ? columns.length : columns.length - 1;
  return table(
    caption,
    columns.slice(0, kept),
    rows.map((row, rank) =>
      row.slice(0, kept).map((cell, index) => (index === 0 ? markup`<a href="#design-${rank + 1}">${cell}</a>` : cell)),
    ),
  );
}

function designMarkup(each: AdvisedDesign, rank: number, currency: string, write: (value: unknown) => string): Markup {
  const [{ node, configuration }] = each.configurations as [AdvisedDesign['configurations'][number]];
  const others =
    each.configurations.length > 1 &&
    markup`<p>The other nodes differ in their name and addresses: <code>holdfast advise --write</code> writes all.</p>\n`;
  return markup`<details id="design-${rank + 1}"><summary>${rank + 1}. ${each.id}</summary>
<p>${each.words}</p>
${pairs(designFacts(each, rank, currency))}
<h3>holdfast.yaml of ${node}</h3>
<div class="scroll" role="region" aria-label="holdfast.yaml of ${node} for ${each.id}" tabindex="0"><pre>${write(configuration)}</pre></div>
${others}</details>
`;
}

function needsMarkup({ needs }: Advice): Markup {
  return table(
    'How many designs miss each need',
    [{ heading: 'Need' }, { heading: 'Missed by', align: 'right' }, { heading: 'The first without it' }],
    needs.map(({ need, missedBy, bestWithout }) => [need, missedBy, bestWithout ?? 'the same']),
  );
}
