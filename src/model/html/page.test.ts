import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { escapeText, markup } from './markup.ts';
import { page, pairs, picture, table } from './page.ts';
import { themes } from './style.ts';
import { outlineOf } from './testing/outline.ts';

const nasty = `<script>alert("1")</script><img src=x onerror='a'>&amp;`;

describe('markup', () => {
  test('escapes all that is not markup, in content and in attributes', () => {
    expect(markup`<b title="${'"<&\''}">${['<i>', 1, markup`<u>${'&'}</u>`, false, undefined]}</b>`.text).toBe(
      '<b title="&quot;&lt;&amp;&#39;">&lt;i&gt;1<u>&amp;</u></b>',
    );
  });

  test('knows no character that a document may not have', () => {
    expect(escapeText('a\u0000\u001b\u009f\uD800\u202Eb\uFFFF\tc\n😀')).toBe('a\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDb\uFFFD\tc\n😀');
  });

  test('of any text is that text again, once it is read', () => {
    const read = (text: string) => text.replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => unescaped[entity]!);
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('<', '>', '&', '"', "'", 'a', ';', '#', '3', '9', 'lt') }), (text) => {
        expect(escapeText(text)).not.toMatch(/[<>"']/);
        expect(read(escapeText(text))).toBe(text);
      }),
    );
  });
});

const unescaped: Readonly<Record<string, string>> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'" };

describe('a page', () => {
  const script = 'document.title';
  const text = page({
    title: nasty,
    lead: nasty,
    script,
    data: { nasty: `</script>${nasty}` },
    sections: [
      { title: nasty, body: [table(nasty, [{ heading: nasty }, { heading: 'n', align: 'right' }], [[nasty, 1]]), pairs([[nasty, nasty]])] },
      {
        title: 'Second',
        body: picture({ id: 'p', title: nasty, description: nasty, width: 10, height: 10, drawing: markup`<text>${nasty}</text>` }),
      },
    ],
  });
  const outline = outlineOf(text);

  test('is well formed, and nothing of a file is markup in it', () => {
    expect(outline.problems).toEqual([]);
    expect(outline.tags.filter((tag) => tag === 'img')).toEqual([]);
    expect(outline.tags.filter((tag) => tag === 'script')).toHaveLength(2);
    expect(text).not.toContain('alert("1")');
  });

  test('lets the browser run its own script and style only', () => {
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(text)![1]!.replaceAll('&#39;', "'");
    const style = /<style>([\s\S]*)<\/style>/.exec(text)![1]!;
    const hash = (content: string) => `'sha256-${createHash('sha256').update(content).digest('base64')}'`;
    expect(policy).toBe(`default-src 'none'; style-src ${hash(style)}; script-src ${hash(script)}; base-uri 'none'; form-action 'none'`);
    expect(style).not.toMatch(/url\(|@import/);
    expect(outline.attributes.filter(([name]) => /^(?:src|style|on.*|action|data)$/.test(name))).toEqual([]);
    expect(outline.attributes.filter(([name, value]) => name === 'href' && !value.startsWith('#'))).toEqual([]);
  });

  test('has data that read as they were', () => {
    const data = /id="data">([\s\S]*?)<\/script>/.exec(text)![1]!;
    expect(JSON.parse(data)).toEqual({ nasty: `</script>${nasty}` });
  });

  test('says to a screen reader what is what', () => {
    expect(text).toContain('<html lang="en">');
    expect(text).toMatch(/<svg role="img" aria-labelledby="p-title" aria-describedby="p-desc"[^>]*>\s*<title id="p-title">/);
    expect(text).toMatch(/<caption>[^<]+<\/caption>\s*<thead><tr><th scope="col">/);
    expect(text).toContain('<th scope="row">');
    expect(outline.ids).toEqual([...new Set(outline.ids)]);
    for (const target of text.matchAll(/(?:href="#|aria-labelledby="|aria-describedby=")([^"]+)/g))
      expect(outline.ids).toContain(target[1]);
  });
});

describe.each(Object.entries(themes))('the %s colours', (_, { ground, raised, ink, soft, rule, series }) => {
  test.each([
    ['text', [ink, soft, ...series], 4.5],
    ['lines', [rule], 3],
  ] as const)('of %s stand out', (_what, colours, least) => {
    for (const colour of colours) {
      expect(contrast(colour, ground)).toBeGreaterThanOrEqual(least);
      expect(contrast(colour, raised)).toBeGreaterThanOrEqual(least);
    }
  });
});

/** WCAG 2.2, "contrast ratio" and "relative luminance". */
function contrast(one: string, other: string): number {
  const [dark, light] = [luminance(one), luminance(other)].toSorted((a, b) => a - b) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return channel <= 0.040_45 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
