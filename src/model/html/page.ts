import { createHash } from 'node:crypto';
import type { Content } from './markup.ts';
import { Markup, markup } from './markup.ts';
import { styleSheet } from './style.ts';

/** A part of a page, with a heading of its own that the contents lead to. */
export interface PageSection {
  readonly title: string;
  readonly body: Content;
}

export interface PageDescription {
  readonly title: string;
  /** What the page is about, in a sentence. */
  readonly lead?: Content;
  readonly sections: readonly PageSection[];
  /** What runs in the reader's browser: of the program's own making, never with text of a file in it. */
  readonly script?: string;
  /** Data for the script, read there with `JSON.parse(document.getElementById('data').textContent)`. May hold anything. */
  readonly data?: unknown;
}

/**
 * A whole HTML document in one file. It asks no network for anything, and its content security policy lets the browser do nothing but show it
 * and run `script`: style and script are allowed by their hashes, so that markup which got in nevertheless could neither run nor load.
 */
export function page({ title, lead, sections, script, data }: PageDescription): string {
  const style = styleSheet();
  const policy = [
    "default-src 'none'",
    `style-src '${hashOf(style)}'`,
    ...(script === undefined ? [] : [`script-src '${hashOf(script)}'`]),
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const numbered = sections.map((section, index) => ({ ...section, id: `section-${index + 1}` }));
  const contents = numbered.map((each) => markup`<li><a href="#${each.id}">${each.title}</a></li>`);
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${new Markup(style)}</style>
</head>
<body>
<a class="skip" href="#main">To the content</a>
<header><h1>${title}</h1>${lead !== undefined && markup`<p>${lead}</p>`}
${numbered.length > 1 && markup`<nav aria-label="Contents"><ul>${contents}</ul></nav>`}</header>
<main id="main">
${numbered.map((each) => markup`<section aria-labelledby="${each.id}"><h2 id="${each.id}">${each.title}</h2>\n${each.body}</section>\n`)}</main>
<footer>Made by Holdfast. This page is one file, and asks no network for anything.</footer>
${data !== undefined && markup`<script type="application/json" id="data">${jsonOf(data)}</script>\n`}
${script !== undefined && markup`<script>${new Markup(script)}</script>\n`}</body>
</html>
`.text;
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

/** JSON that can not end the element it stands in: within a script nothing is unescaped but the end of it. */
function jsonOf(data: unknown): Markup {
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return new Markup(JSON.stringify(data).replace(/[<>&\u2028\u2029]/g, escaped));
}

export interface TableColumn {
  readonly heading: string;
  /** Numbers stand to the right. */
  readonly align?: 'right';
}

/** A table whose first column names its rows. It scrolls by itself, with the keyboard too, where the window is narrow. */
export function table(caption: string, columns: readonly TableColumn[], rows: readonly (readonly Content[])[]): Markup {
  const aligned = (column: number) => columns[column]?.align === 'right' && markup` class="right"`;
  const head = columns.map(({ heading }, index) => markup`<th scope="col"${aligned(index)}>${heading}</th>`);
  const cell = (content: Content, index: number) =>
    index === 0 ? markup`<th scope="row"${aligned(0)}>${content}</th>` : markup`<td${aligned(index)}>${content}</td>`;
  const body = rows.map((row) => markup`<tr>${row.map(cell)}</tr>\n`);
  return markup`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table><caption>${caption}</caption>
<thead><tr>${head}</tr></thead>
<tbody>
${body}</tbody></table></div>
`;
}

/** Facts by name. */
export function pairs(facts: readonly (readonly [name: string, value: Content] | false | undefined)[]): Markup {
  const told = facts.filter((fact) => fact !== false && fact !== undefined);
  return markup`<dl>${told.map(([name, value]) => markup`<dt>${name}</dt><dd>${value}</dd>`)}</dl>\n`;
}

export interface Picture {
  /** Unique in the page: letters, digits and dashes. */
  readonly id: string;
  readonly title: string;
  /** What can be seen, for who can't see it: the gist; `alternative` has the figures. */
  readonly description: string;
  readonly width: number;
  readonly height: number;
  /** What is drawn, in SVG's units: at 1 they are pixels. */
  readonly drawing: Content;
  /** The same in words, folded away below the picture (and printed). */
  readonly alternative?: Markup;
  /** Default: As a table. */
  readonly alternativeName?: string;
}

/** Wider pictures scroll instead of shrinking until nothing can be read. */
const shrinkableWidth = 1150;

/** A drawing with title, description and, below it, the same as a table. */
export function picture({ id, title, description, width, height, drawing, alternative, alternativeName = 'As a table' }: Picture): Markup {
  const wide = width > shrinkableWidth;
  const labels = markup`aria-labelledby="${id}-title" aria-describedby="${id}-desc"`;
  const size = markup`viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`;
  const svg = markup`<svg role="img" ${labels}${wide && markup` class="wide"`} ${size}>
<title id="${id}-title">${title}</title><desc id="${id}-desc">${description}</desc>
${drawing}</svg>`;
  return markup`<figure>
${wide ? markup`<div class="scroll" role="region" aria-label="${title}" tabindex="0">${svg}</div>` : svg}
<figcaption>${title}. ${description}</figcaption>
${alternative && markup`<details><summary>${alternativeName}</summary>${alternative}</details>`}</figure>
`;
}

export { markup };
