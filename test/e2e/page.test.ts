/** The page in a real browser, served by the real HTTP server, with a status that the test chooses. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeEach } from 'vitest';

import { SILENT_LOG } from '../../src/base/log.ts';
import type { JsonValue } from '../../src/codec/json.ts';
import { machineTimers } from '../../src/platform/clock.ts';
import { type HttpServer, serveHttp } from '../../src/platform/network/http/http-server.ts';
import { SimClock } from '../../src/platform/sim/clock.ts';
import { createApi } from '../../src/status/api/api.ts';
import type { Api } from '../../src/status/http/serve-api.ts';
import { PageFiles } from '../../src/status/http/page-files.ts';
import type { PowerSample } from '../../src/status/api/power-history.ts';
import { contrast, launchBrowser, openContext } from '../support/machine/browser.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { tempDir } from '../support/machine/temp-dir.ts';
import { NOON_MS, SampleSources, sampleStatus } from '../support/made/status.ts';

const ROOT = join(import.meta.dirname, '../..');

let sources: SampleSources;
let api: Api;
let server: HttpServer;
let browser: Browser | undefined;
/** What the browser complained about, and where it wanted to go. */
let complaints: string[] = [];
let hosts = new Set<string>();
/** What the hub has noted of its power. */
let history: PowerSample[] = [];

beforeEach(async () => {
  const dir = tempDir();
  execFileSync('node', [join(ROOT, 'deploy/copy-page.mjs'), dir]);
  sources = new SampleSources(new SimClock(NOON_MS));
  const page = new PageFiles({ read: (path) => readFileSync(path), list: readdirSync }, dir, {
    log: SILENT_LOG,
  });
  api = createApi(sources.options({ timers: machineTimers, page, powerSince: () => history }));
  const fetch = (request: Request, remote: string) => api.fetch(request, remote);
  const place = { host: '127.0.0.1', port: 0, purpose: 'http.port', connectionsMax: 32 };
  server = await serveHttp({ ...place, fetch });
  complaints = [];
  hosts = new Set();
  history = aDay();
});

afterEach(async () => {
  // A page that outlives its server would complain in the next test.
  for (const context of browser?.contexts() ?? []) await context.close();
  api.close();
  await server.close();
});

afterAll(async () => {
  await browser?.close();
});

function aDay(): PowerSample[] {
  return Array.from({ length: 1440 }, (_, minute) => ({
    atMs: NOON_MS - (1440 - minute) * 60_000,
    socPct: 50 + 20 * Math.sin(minute / 229),
    batteryV: 13,
    pvW: Math.max(0, 40 * Math.sin(minute / 229)),
    loadW: 3.5,
  }));
}

async function visit(
  path: string,
  look: { width: number; dark?: boolean },
  chart = '#chart canvas',
): Promise<Page> {
  browser ??= await launchBrowser(path);
  const context = await openContext(browser, {
    viewport: { width: look.width, height: 800 },
    colorScheme: look.dark === true ? 'dark' : 'light',
    timezoneId: 'UTC',
  });
  const page = await context.newPage();
  page.on('console', (message) => {
    if (message.type() !== 'log') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => hosts.add(new URL(request.url()).host));
  await page.goto(`http://127.0.0.1:${server.port}/`);
  await page.waitForSelector(chart);
  await page.waitForSelector('.contact.live');
  return page;
}

/** Waits for an element that says this and can be seen. */
async function reads(page: Page, selector: string, wanted: string | RegExp): Promise<void> {
  await page.locator(selector).filter({ hasText: wanted }).first().waitFor();
}

testWithPeers(
  'shows the figures of the hub, asks nobody else, complains of nothing',
  ['chromium'],
  async ([path]) => {
    const page = await visit(path as string, { width: 1100 });
    await reads(page, '#site', 'north-ridge');
    await reads(page, '#soc', /^64$/);
    await reads(page, '#soc-error', '± 3 %');
    await reads(page, '#pv', /^41$/);
    await reads(page, '#receipt', '12 min');
    await reads(page, '#backlog', /telemetry\s*4821\s*1\.2 MB\s*1 h 30 min/);
    await reads(page, '#connected', /^11$/);
    await reads(page, '#clock', '12:00');
    await reads(page, '#decisions', 'photos wait');
    await reads(page, '#why', 'records go');
    await page.click('[data-hours="3"]');
    assert.equal(await page.getAttribute('[data-hours="3"]', 'aria-pressed'), 'true');
    assert.deepEqual([...hosts], [`127.0.0.1:${server.port}`]);
    assert.deepEqual(complaints, []);
  },
);

testWithPeers(
  'a conflict waits for a person, who says what stands',
  ['chromium'],
  async ([path]) => {
    const side = (value: string, at: string) => ({ op: 'a/2/1', role: 'technician', at, value });
    sources.conflicts = [
      {
        key: 'order/17',
        title: 'pump 3 leaks',
        field: 'state',
        piece: 'field',
        why: 'later',
        winner: side('waiting', '2026-03-01T09:20:00.000Z'),
        loser: side('<b>done</b>', '2026-03-01T09:10:00.000Z'),
      },
    ];
    const page = await visit(path as string, { width: 360 });
    await reads(
      page,
      '#conflicts',
      'pump 3 leaks (order/17), state stands because it was written later',
    );
    const button = page.getByRole('button', { name: 'Take instead: <b>done</b>' });
    await button.focus();
    // What the first answer changes is there when the second one has come.
    for (const round of [1, 2]) {
      const answer = page.waitForResponse(/api\/v1\/conflicts$/);
      await page.dispatchEvent('html', 'visibilitychange');
      assert.equal(await (await answer).finished(), null, `round ${round}`);
    }
    await page.locator('button:focus', { hasText: 'Take instead' }).waitFor();
    await page.keyboard.press('Enter');
    await page.locator('#conflicts').waitFor({ state: 'hidden' });
    assert.deepEqual(sources.resolved, [{ key: 'order/17', value: '<b>done</b>' }]);
    assert.deepEqual(complaints, []);
  },
);

testWithPeers(
  'many conflicts leave the page to what else there is, and a field is there once',
  ['chromium'],
  async ([path]) => {
    const at = new Date(NOON_MS).toISOString();
    const side = (value: string): Record<string, JsonValue> => ({
      op: 'a/2/1',
      role: 'technician',
      at,
      value,
    });
    const field = { title: null, field: 'state', piece: 'field', why: 'later' };
    const conflict = (key: string, value: string): Record<string, JsonValue> => ({
      ...field,
      key,
      winner: side('waiting'),
      loser: side(value),
    });
    sources.conflicts = [
      ...['done', 'open', 'done'].map((value) => conflict('order/1', value)),
      ...[2, 3, 4, 5].map((n) => conflict(`order/${n}`, 'done')),
    ];
    const page = await visit(path as string, { width: 360 });
    await reads(page, '#conflicts summary', 'and 2 more');
    const shown = page.locator('#conflicts > ol > li');
    assert.equal(await shown.count(), 3);
    const buttons = await shown.first().getByRole('button').allTextContents();
    assert.deepEqual(buttons, ['Keep', 'Take instead', 'Take instead']);
    assert.equal(await page.getByText('order/5, state').isVisible(), false);
    await page.click('#conflicts summary');
    assert.equal(await page.getByText('order/5, state').isVisible(), true);
    assert.deepEqual(complaints, []);
  },
);

testWithPeers('a button sends everything for a while', ['chromium'], async ([path]) => {
  const page = await visit(path as string, { width: 1100 });
  await page.click('#override');
  await reads(page, '#override-note', /^sent by hand until 12:30, says somebody on site$/);
  assert.equal(sources.override?.untilMs, NOON_MS + 30 * 60_000);
  await page.click('#override');
  await reads(page, '#override', 'Send everything for 30 min');
  assert.equal(sources.override, undefined);
});

testWithPeers(
  'a technician at dusk: what sync took and what was measured of it, and that shutdown holds by hand back',
  ['chromium'],
  async ([path]) => {
    const until = new Date(NOON_MS + 60_000).toISOString();
    const override = { until, who: 'the page', held: true };
    const backAt = new Date(NOON_MS + 21 * 3_600_000).toISOString();
    const dusk = { state: 'shutdown' as const, socPct: 11, backAt };
    const power = { ...sampleStatus().power, ...dusk, override };
    sources.status = sampleStatus({ power });
    const page = await visit(path as string, { width: 360, dark: true });
    await reads(page, '#uplink-energy', '0.42 Wh, 7 sessions');
    await reads(page, '#uplink-measured', '2 of them: 0.19 Wh for 0.21 believed');
    await reads(page, '#override', 'End sending by hand');
    await reads(page, '#override-note', /the battery is too low for it$/);
    await reads(page, '#power-state', /^shutdown, back about /);
    const { measuredToday: _measured, ...energy } = sampleStatus().energy;
    sources.status = sampleStatus({ energy });
    await page.reload();
    await page.locator('#uplink-measured-row').waitFor({ state: 'hidden' });
  },
);

testWithPeers(
  'a decision and a fault appear by themselves, and so does the loss of the hub',
  ['chromium'],
  async ([path]) => {
    const page = await visit(path as string, { width: 1100 });
    sources.say({
      at: '2026-03-01T12:00:30.000Z',
      event: 'decision',
      state: 'normal',
      why: 'bulk <b>goes</b>',
    });
    await reads(page, '#decisions li:first-child', 'bulk <b>goes</b>');
    await reads(page, '#why', 'bulk <b>goes</b>');
    sources.status = sampleStatus({
      power: { ...sampleStatus().power, state: 'unknown', socPct: null, pvW: null, batteryV: null },
      security: { mode: 'open', openLan: true },
      faults: [{ code: 'journal.full', message: 'No room', hint: 'Use `df`.', since: '' }],
    });
    await reads(page, '.notice.fault', 'No room');
    await reads(page, '.notice code', /^df$/);
    await reads(page, '.notice', 'Anyone on this network');
    await reads(page, '#soc', /^–$/);
    await reads(page, '#why', 'Too few fresh readings');
    api.close();
    await server.close();
    await reads(page, '.contact.lost', /^no contact since \d\d:\d\d$/);
  },
);

testWithPeers(
  'why the hub went to a state is told before the status names it, and stands beside it then',
  ['chromium'],
  async ([path]) => {
    const page = await visit(path as string, { width: 1100 });
    await reads(page, '#why', 'records go');
    const at = '2026-03-01T12:00:30.000Z';
    sources.say({ at, event: 'decision', state: 'saver', why: 'files wait: battery 44 %' });
    await reads(page, '#decisions li:first-child', 'files wait');
    sources.status = sampleStatus({ power: { ...sampleStatus().power, state: 'saver' } });
    await reads(page, '#power-state', 'saver');
    await reads(page, '#why', 'files wait');
  },
);

testWithPeers(
  'a hub on mains without an uplink: what there is none of is said, nothing is blank',
  ['chromium'],
  async ([path]) => {
    const nothing = { socPct: null, batteryV: null, pvW: null, loadW: null };
    const power = { ...sampleStatus().power, ...nothing, state: 'unknown' as const };
    const uplink = { ...sampleStatus().uplink, state: 'off' };
    sources.status = sampleStatus({ power, uplink });
    sources.lines.length = 0;
    history = aDay().map((sample) => ({ ...sample, ...nothing }));
    const page = await visit(path as string, { width: 360 }, '#chart.empty');
    await reads(page, '#chart', 'No power has been read yet.');
    await reads(page, '#uplink-kind', /^–$/);
    await reads(page, '#decisions', 'nothing yet');
    const card = await page.locator('.decisions').boundingBox();
    assert.ok(card !== null && card.height < 120, `${card?.height} pixels for no decision`);
  },
);

testWithPeers(
  'fits a narrow phone and keeps its contrast, light and dark',
  ['chromium'],
  async ([path]) => {
    sources.status = sampleStatus({
      site: 'a-site-with-a-very-long-name-that-nobody-ever-shortened-for-a-phone',
      faults: [{ code: 'journal.full', message: 'x'.repeat(200), hint: 'y', since: '' }],
    });
    for (const dark of [false, true]) {
      const page = await visit(path as string, { width: 360, dark });
      await reads(page, '.notice.fault', 'xxx');
      const spill = await page.evaluate<number>(
        'document.documentElement.scrollWidth - innerWidth',
      );
      assert.ok(spill <= 0, `${spill} pixels beyond 360`);
      for (const selector of [
        '#soc',
        '#soc-error',
        '#why',
        '#pv',
        '#load',
        '.state',
        'h2',
        '.notice strong',
        '#decisions time',
      ]) {
        const ratio = await contrast(page, selector);
        assert.ok(ratio >= 4.5, `${selector} has a contrast of ${ratio.toFixed(1)}, dark: ${dark}`);
      }
    }
  },
);
