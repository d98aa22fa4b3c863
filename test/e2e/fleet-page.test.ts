/** The fleet page in a real browser: whatever hubs are called and whatever is wrong with them can be read, on any screen. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { onTestFinished } from 'vitest';

import { SILENT_LOG } from '../../src/base/log.ts';
import { serveHttp } from '../../src/platform/network/http/http-server.ts';
import { problem } from '../../src/status/http/problem.ts';
import { PageFiles } from '../../src/status/http/page-files.ts';
import type { FleetHub } from '../../src/status/region/fleet.ts';
import { openBrowser, openPage, reads } from '../support/machine/browser.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { ROOT } from '../support/machine/spawn.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const AT = '2026-03-01T12:00:00.000Z';
const FORK = 'the hub remembers another history than this region';
const SITES = ['demo', 'lodwar-health-centre-north-borehole-7', 'x'.repeat(64)];

function hub(number: number): FleetHub {
  return {
    site: SITES[number % SITES.length] as string,
    hub: `${number}`.padStart(16, 'a'),
    software: '0.1.0',
    heardAt: '2026-02-26T02:14:00.000Z',
    saidAt: '2026-02-26T02:00:00.000Z',
    state: 'shutdown',
    socPct: 13,
    clock: number % 2 === 0 ? 'ntp' : 'unknown',
    backlog: { ops: 1_250_000, bytes: 98_000_000, oldestS: 27_960 },
    faults: ['journal.disk-full', 'power.source-lost', 'uplink.refused'],
    parked: [FORK],
    hindrance: null,
    refusal: null,
    why: null,
  };
}

/** Of every cell: what it says, how wide it is, and whether all of it is within the card. Source text: it runs in the browser. */
const CELLS = `[...document.querySelectorAll('#hubs th, #hubs td')].map((cell) => {
  const range = document.createRange();
  range.selectNodeContents(cell);
  const card = document.querySelector('.wide').getBoundingClientRect();
  const text = range.getBoundingClientRect();
  return {
    says: cell.textContent,
    width: cell.getBoundingClientRect().width,
    isWithin: text.left >= card.left - 1 && text.right <= card.right + 1,
  };
})`;

testWithPeers(
  'names and faults are read whole at 360, 768 and 1440',
  ['chromium'],
  async ([path = '']) => {
    const dir = tempDir();
    execFileSync('node', [join(ROOT, 'deploy/copy-page.mjs'), dir]);
    const read = { read: (file: string) => readFileSync(file), list: readdirSync };
    const page = new PageFiles(read, dir, { log: SILENT_LOG, index: 'fleet.html' });
    const hubs = Array.from({ length: 28 }, (_, number) => hub(number));
    const well = { heardAt: '2026-02-28T06:00:00.000Z', faults: [], parked: [] };
    hubs.unshift({ ...hub(28), ...well }, { ...hub(29), heardAt: AT });
    const away = 'PostgreSQL: gone. Check the server and its disk';
    let isAway = false;
    const fetch = (request: Request): Response => {
      const { pathname } = new URL(request.url);
      if (isAway && pathname.startsWith('/api/')) return problem(503, away);
      const faults = [{ message: 'The broker is away', hint: 'Check that it runs' }];
      const fleet = { at: AT, diskFreeBytes: 120_000_000, faults, hubs };
      const told = pathname === '/api/v1/fleet' ? Response.json(fleet) : undefined;
      return told ?? page.answer(pathname, request.headers) ?? new Response('', { status: 404 });
    };
    const place = { host: '127.0.0.1', port: 0, purpose: 'http.port', connectionsMax: 32 };
    const server = await serveHttp({ ...place, fetch });
    onTestFinished(() => server.close());
    const browser = await openBrowser(path);
    for (const width of [360, 768, 1440]) {
      const tab = await openPage(browser, { viewport: { width, height: 900 } });
      await tab.goto(`http://127.0.0.1:${server.port}/`);
      await reads(tab, '#hubs td', FORK);
      await reads(tab, '#trouble', 'The disk is nearly full: 120 MB left');
      const cells = await tab.evaluate<{ says: string; width: number; isWithin: boolean }[]>(CELLS);
      assert.equal(cells.length, 30 * 9);
      assert.deepEqual(
        cells.filter(({ isWithin }) => !isWithin),
        [],
        `${width}`,
      );
      const faults = cells.filter(({ says }) => says.includes(FORK));
      for (const { width: cell } of faults) assert.ok(cell >= 200, `${cell} of ${width}`);
      assert.ok(cells.some(({ says }) => says === '1.3 M ops, 98 MB'));
      const faultsInOrder = cells.map(({ says }) => says).filter((_, index) => index % 9 === 8);
      assert.equal(faultsInOrder.indexOf('none'), 29, 'what somebody should look at stands first');
      const box = await tab.locator('#hubs a').first().boundingBox();
      assert.ok(width > 1088 || Number(box?.height) >= 44, `a target of ${box?.height} pixels`);
      await tab.close();
    }
    isAway = true;
    const tab = await openPage(browser, { viewport: { width: 768, height: 900 } });
    await tab.goto(`http://127.0.0.1:${server.port}/#demo/a1`);
    await reads(tab, '#trouble', away);
    await reads(tab, '#link-to-hub', 'live');
    await reads(tab, '#log li', 'not to be had now');
  },
);
