import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { describe, expect, test } from 'vitest';
import { curvesOf } from '../file/curves.ts';
import { evaluateModel, parseModel } from '../file/evaluate.ts';
import type { Model } from '../file/schema.ts';
import { logTimeAxis, ninesAxis, shareAxis, timeAxis } from './axis.ts';
import { blockDiagram } from './block-diagram.ts';
import { faultTree } from './fault-tree.ts';
import { modelPage } from './model-page.ts';
import type { Sketch } from './sketch.ts';
import { sketchOf } from './sketch.ts';
import { outlineOf } from './testing/outline.ts';

const documentation = readFileSync(new URL('../../../docs/model.md', import.meta.url), 'utf8');
const examples = [...documentation.matchAll(/^```yaml\n([\s\S]*?)^```/gm)]
  .map((match) => match[1]!)
  // Needs are no models: they say what things are worth.
  .filter((text) => !/^worth:/m.test(text));

function pageOf(model: Model): string {
  const answer = evaluateModel(model);
  return modelPage(model, answer, curvesOf(model, answer));
}

function count(text: string, what: RegExp): number {
  return [...text.matchAll(what)].length;
}

describe('the page of a model', () => {
  test.each(examples.map((text, index) => [index + 1, text] as const))('of example %d is well formed', (_, text) => {
    const shown = pageOf(parseModel(parse(text)));
    const { problems, ids, attributes } = outlineOf(shown);
    expect(problems).toEqual([]);
    expect(ids).toEqual([...new Set(ids)]);
    expect(shown).not.toMatch(/NaN|undefined|Infinity|\[object/);
    for (const [name, value] of attributes) {
      const target = name.startsWith('aria-') && name !== 'aria-label' ? value : /^(?:url\()?#([^)]*)\)?$/.exec(value)?.[1];
      if (target !== undefined) expect(ids).toContain(target);
    }
    // Every picture says what it is, and what can be seen in it.
    expect(count(shown, /<svg role="img"/g)).toBe(count(shown, /<svg role="img" aria-labelledby="[^"]+" aria-describedby="[^"]+"/g));
  });

  test('draws what the file has', () => {
    const all = examples.map((text) => pageOf(parseModel(parse(text)))).join('');
    for (const title of [
      'Block diagram',
      'Fault tree',
      'State chart',
      'Availability over time',
      'Survival',
      'What fails the system',
      'Where the time goes',
    ])
      expect(all).toContain(`>${title}</title>`);
  });

  test('lets names be what they like', () => {
    const evil = '</title><script>alert(1)</script>"\'&';
    const part = parseModel({ components: { a: { mtbf: '9h', mttr: '1h' } }, structure: 'a' }).components!['a']!;
    const model = {
      name: evil,
      components: { [evil]: part, other: part },
      structure: { parallel: [evil, 'other'] },
      chains: { [evil]: { states: { [evil]: 'up', down: 'down' }, transitions: { [`${evil} -> down`]: 1, [`down -> ${evil}`]: 2 } } },
    } as Model;
    const shown = pageOf(model);
    const { problems, tags } = outlineOf(shown);
    expect(problems).toEqual([]);
    expect(tags).not.toContain('script');
    expect(shown).not.toContain('<script>');
    expect(count(shown, /&lt;script&gt;alert\(1\)&lt;\/script&gt;/g)).toBeGreaterThan(8);
  });

  test('draws as much as can be read', () => {
    const node = { mtbf: '2000h', mttr: '4h', count: 3000 };
    const pair = { mtbf: '2000h', mttr: '4h' };
    const names = Array.from({ length: 2000 }, (_, index) => `n${index}`);
    const shown = pageOf(
      parseModel({
        components: { node, ...Object.fromEntries(names.map((name) => [name, pair])) },
        structure: { series: [{ 'k-of-n': 2, of: ['node.*'] }, { parallel: names }] },
      }),
    );
    expect(count(shown, /<rect class="box/g)).toBeLessThan(260);
    expect(shown).toContain('node.1 … node.3000');
    expect(shown).toMatch(/\d+ more/);
    expect(shown.length).toBeLessThan(500_000);
    const many = { components: { node: { ...node, count: 80 } }, structure: { parallel: ['node.*'] }, repair: { crews: 1 } };
    expect(pageOf(parseModel(many))).toContain('More than 60 states are not drawn');
  });
});

describe('a sketch', () => {
  const model = parseModel({
    components: { a: { probability: 0.1 }, b: { probability: 0.1 }, c: { availability: '99.9%', count: 2 } },
    parts: { shared: { and: ['a', 'b'] }, alias: 'a' },
    structure: { or: ['shared', { and: ['shared', 'c.*', 'alias', true] }] },
  });
  const sketch = sketchOf(model);

  test('draws shared parts once, and says where else they stand', () => {
    const flat = (node: Sketch): Sketch[] => [node, ...(node.kind === 'gate' ? node.of.flatMap(flat) : [])];
    const named = flat(sketch).map((node) => (node.kind === 'gate' ? `${node.name ?? ''}:${node.gate}` : `${node.kind}:${node.name}`));
    expect(named.toSorted()).toEqual(
      [':or', 'shared:and', 'part:a', 'part:b', ':and', 'folded:shared', 'part:c.1', 'part:c.2', 'part:a', 'part:failed'].toSorted(),
    );
    expect(flat(sketch).filter((node) => node.kind === 'part' && node.again === true)).toHaveLength(1);
  });

  test('fits its picture', () => {
    for (const { width, height, drawing } of [faultTree(sketch), blockDiagram({ kind: 'gate', gate: 'series', count: 40, of: row(40) })]) {
      const boxes = [...drawing.text.matchAll(/<rect class="box" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"/g)].map(
        ([, ...numbers]) => numbers.map(Number) as [number, number, number, number],
      );
      expect(boxes.length).toBeGreaterThan(5);
      for (const [x, y, w, h] of boxes) {
        expect([x >= 0, y >= 0, x + w <= width, y + h <= height]).toEqual([true, true, true, true]);
        const covering = boxes.filter(([x2, y2, w2, h2]) => x < x2 + w2 && x2 < x + w && y < y2 + h2 && y2 < y + h);
        expect(covering).toHaveLength(1);
      }
      expect(width).toBeLessThan(1150);
    }
  });
});

function row(length: number): Sketch[] {
  return Array.from({ length }, (_, index) => ({ kind: 'part', name: `part ${index}`, note: 'MTBF 2 years' }));
}

describe('axes', () => {
  test('of nines give each nine the same room', () => {
    const axis = ninesAxis('availability', 0.05, 2e-6);
    expect(axis.ticks.map(({ text }) => text)).toEqual(['90%', '99%', '99.9%', '99.99%', '99.999%', '99.9999%']);
    expect(axis.share(0.01) - axis.share(0.1)).toBeCloseTo(axis.share(1e-6) - axis.share(1e-5), 12);
    expect(axis.share(1)).toBe(0);
  });

  test('of times have round marks, in order, not too near each other', () => {
    for (const last of [0.01, 3, 24, 720, 8760, 87_600, 1e6, 1e9]) {
      for (const axis of [timeAxis(last), logTimeAxis(last / 1e4, last)]) {
        const shares = axis.ticks.map(({ share }) => share);
        expect(shares.length).toBeGreaterThanOrEqual(1);
        expect(shares.length).toBeLessThanOrEqual(12);
        for (let index = 1; index < shares.length; index++) expect(shares[index]! - shares[index - 1]!).toBeGreaterThan(0.05);
      }
    }
  });

  test('of shares begin where they are told', () => {
    const axis = shareAxis('survival', 0.8);
    expect(axis.ticks.map(({ text }) => text)).toEqual(['80%', '85%', '90%', '95%', '100%']);
    expect([axis.share(0.8), axis.share(0.9), axis.share(1)].map((share) => Number(share.toFixed(12)))).toEqual([0, 0.5, 1]);
  });
});
