import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatConfig } from '../../src/config/format.ts';
import type { Advice } from '../../src/model/advice/advise.ts';
import { advise, parseRequirements } from '../../src/model/advice/advise.ts';
import { advicePage } from '../../src/model/advice/page.ts';
import { BrowserPage, chromiumPath } from '../kit/browser.ts';

const chromium = chromiumPath();
if (chromium === undefined && process.env['HOLDFAST_REQUIRE'] === 'all') throw new Error('chromium is absent, and HOLDFAST_REQUIRE=all');

/** Text that would be markup, script or an end of either if anything let it. */
const nasty = '</script><script>alert(1)</script><b>"\'&';

describe.skipIf(chromium === undefined)(`the page of advice in a browser${chromium === undefined ? ' (chromium is absent)' : ''}`, () => {
  let directory: string;
  let advice: Advice;
  let page: BrowserPage;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-advice-page-'));
    advice = advise(
      parseRequirements({
        name: nasty,
        data: { size: '200GiB', change: '20GiB/day' },
        worth: { downtime: '2000/h', history: '3000/h', data: 2_000_000 },
        team: { hour: 90 },
        needs: { rto: '30min' },
        search: {
          members: [1, 2, 3],
          stores: ['etcd'],
          copies: ['disk', 'cloud'],
          backup: ['1d'],
          journal: ['10s'],
          drills: ['none', '30d'],
        },
      }),
    );
    const file = join(directory, 'page.html');
    writeFileSync(file, advicePage(advice, formatConfig));
    page = await BrowserPage.open(chromium!, pathToFileURL(file).href);
  }, 60_000);
  afterAll(async () => {
    await page[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  test('asks for nothing but itself, breaks no policy, and takes text for text', async () => {
    expect(page.requests).toHaveLength(1);
    expect(page.problems).toEqual([]);
    expect(await page.evaluate('document.title')).toBe(nasty);
    expect(await page.evaluate('document.querySelectorAll("b").length')).toBe(0);
  });

  test('the keyboard reaches the plot once, goes along it, and opens a design', async () => {
    const focused = () => page.evaluate('document.activeElement.closest("#plot") ? document.activeElement.getAttribute("href") : ""');
    expect(await page.evaluate('document.querySelectorAll("#plot a[tabindex=\\"0\\"]").length')).toBe(1);
    for (let presses = 0; (await focused()) === '' && presses < 30; presses++) await page.press('Tab');
    expect(await focused()).toBe('#design-1');
    await page.press('Home');
    const seen = new Set([await focused()]);
    for (let presses = 1; presses < advice.front.length; presses++) {
      await page.press('ArrowRight');
      seen.add(await focused());
    }
    expect(seen.size).toBe(advice.front.length);
    const last = String(await focused());
    const dearest = advice.front.toSorted((a, b) => b.cost - a.cost)[0]!;
    expect(last).toBe(`#design-${advice.front.indexOf(dearest) + 1}`);
    expect(await page.evaluate('document.getElementById("told").textContent')).toContain(dearest.id);
    await page.press('Enter');
    expect(await page.evaluate(`document.querySelector("${last}").open`)).toBe(true);
  });

  test('points move to the axes that are chosen', async () => {
    const places = () =>
      page.evaluate('[...document.querySelectorAll("#plot a > g")].map((each) => each.getAttribute("transform"))') as Promise<string[]>;
    const before = await places();
    await page.evaluate('{ const axis = document.getElementById("axis-y"); axis.value = "3"; axis.dispatchEvent(new Event("change")); }');
    const after = await places();
    const heights = after.map((place) => Number(/ ([\d.]+)\)/.exec(place)![1]));
    // Higher up is more: the order of expected losses.
    const byHeight = advice.front.map(({ expectedLoss }, index) => ({ expectedLoss, height: heights[index]! }));
    const sorted = byHeight.toSorted((a, b) => a.expectedLoss - b.expectedLoss).map(({ height }) => height);
    expect(sorted).toEqual(sorted.toSorted((a, b) => b - a));
    expect(after).not.toEqual(before);
    expect(await page.evaluate('document.getElementById("title-y").textContent')).toContain('expected loss');
  });

  test('a screen reader hears every design with its figures, the choices by name, and tables', async () => {
    const spoken = await page.spoken();
    for (const [rank, { id }] of advice.front.entries())
      expect(
        spoken.filter(({ role, name }) => role === 'link' && name.startsWith(`${rank + 1}. ${id}: `) && name.includes('expected RTA')),
      ).toHaveLength(1);
    expect(spoken.filter(({ role }) => role === 'combobox').map(({ name }) => name)).toEqual(['Horizontal', 'Vertical']);
    const headings = spoken.filter(({ role }) => role === 'heading').map(({ name }) => name);
    expect(headings).toEqual(
      expect.arrayContaining(['The front', 'As a table', 'Each design', 'What the needs rule out', 'Taken for granted', 'Figures']),
    );
    expect(spoken.filter(({ role }) => role === 'table').map(({ name }) => name)).toContain('Designs by cost and expected loss of a year');
  });

  test('prints', async () => {
    const pdf = await page.printed();
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
    expect(pdf.toString('latin1').match(/\/Type \/Page\b/g)!.length).toBeGreaterThan(2);
  });
});
