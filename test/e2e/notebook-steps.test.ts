/** Steps in the notebook that are taken back, with what builds on them, and orders that somebody else has removed. */
import assert from 'node:assert/strict';

import type { Page } from 'playwright-core';
import { onTestFinished } from 'vitest';

import { connect } from '../../src/client/node.ts';
import { eventually } from '../support/hubs/api.ts';
import { startHub } from '../support/hubs/hub.ts';
import { holds, openBrowser, openPage, reads } from '../support/machine/browser.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

async function twoPages(path: string): Promise<[Page, Page]> {
  const hub = await startHub({ data: tempDir() });
  const browser = await openBrowser(path);
  const [lena, kamau] = [await openPage(browser), await openPage(browser)];
  for (const page of [lena, kamau]) {
    await page.goto(`${hub.httpUrl}notebook`);
    await reads(page, '#contact', 'in contact');
  }
  await lena.fill('#new-order input', 'pump 3 leaks');
  await lena.press('#new-order input', 'Enter');
  await kamau.click('#orders a:has-text("pump 3 leaks")');
  return [lena, kamau];
}

testWithPeers(
  'a step on which others build asks once more, and what was told of one step goes with the next',
  ['chromium'],
  async ([path]) => {
    const [lena] = await twoPages(path as string);
    await lena.selectOption('[name=state]', 'working');
    await lena.selectOption('[name=state]', 'done');
    await lena.click('summary');
    const steps = lena.locator('#history li');
    await reads(lena, '#history li:first-child', 'State: done');
    assert.equal(await steps.count(), 3);
    assert.doesNotMatch(await steps.last().innerText(), /made/);
    const working = lena.locator('#history li:has-text("in work") button');
    await working.click();
    await reads(lena, '#history li button', 'Tap again: later steps build on it, and go too');
    await lena.locator('#history li:has-text("in work") button').click();
    await holds(lena, '[name=state]', 'open');
    assert.ok(await lena.locator('#trouble').isHidden());
    await reads(lena, '#history li:first-child', 'took a step back');
  },
);

testWithPeers(
  'an order that was removed elsewhere says so, takes nothing more, and comes back when asked',
  ['chromium'],
  async ([path]) => {
    const [lena, kamau] = await twoPages(path as string);
    await kamau.fill('[name=who]', 'Kamau');
    await kamau.press('[name=who]', 'Tab');
    await holds(lena, '[name=who]', 'Kamau');
    await lena.click('text=Remove this order');
    await lena.click('text=Tap again');
    await reads(kamau, '.gone', 'This order was removed elsewhere');
    for (const part of ['[name=where]', '#notes', 'text=Remove this order']) {
      assert.ok(await kamau.locator(part).isHidden(), part);
    }
    await kamau.click('text=Bring it back');
    await kamau.waitForSelector('.gone', { state: 'hidden' });
    for (const page of [lena, kamau]) await reads(page, '#orders .title', 'pump 3 leaks');
    await holds(kamau, '[name=who]', 'Kamau');
    await kamau.goto(`${kamau.url().split('#')[0]}#orders/none`);
    await reads(kamau, '.gone', 'not here yet');
  },
);

testWithPeers(
  'a long title shows whole, stays one line of text, and stands above what is to be decided',
  ['chromium'],
  async ([path]) => {
    const [lena, kamau] = await twoPages(path as string);
    await lena.setViewportSize({ width: 360, height: 740 });
    const title = lena.locator('#order [name=title]');
    const heightOf = async (): Promise<number> => (await title.boundingBox())?.height ?? 0;
    const short = await heightOf();
    await title.fill(
      'Replace the relief valve of pump house 3\nbehind the school, and bring a ladder',
    );
    await title.press('Enter');
    const whole = 'Replace the relief valve of pump house 3 behind the school, and bring a ladder';
    await reads(kamau, '#orders .title', whole);
    assert.ok((await heightOf()) > 1.5 * short);
    // In words, because it runs in the page.
    const hidden = await lena.evaluate<number>(`(() => {
      const { scrollHeight, clientHeight } = document.querySelector('#order [name=title]');
      return scrollHeight - clientHeight;
    })()`);
    assert.ok(hidden <= 0, `${hidden} px of it are hidden`);
    const parts = await lena.evaluate<string[]>(`
      [...document.querySelectorAll('#order :is([name=title], .conflicts, [name=state])')]
        .map((part) => part.name ?? part.className)`);
    assert.deepEqual(parts, ['title', 'conflicts', 'state']);
  },
);

testWithPeers(
  'more orders and steps than a phone lays out at once come when asked, and what waits stays in sight',
  ['chromium'],
  async ([path]) => {
    const hub = await startHub({ data: tempDir() });
    const office = await connect({ url: hub.mqttUrl, dir: tempDir(), name: 'office' });
    onTestFinished(() => office.close());
    let last = office.record('orders/0').set({ title: 'order 0', made: '2026-01-01' });
    for (let visit = 0; visit < 40; visit++) void office.counter('orders/0', 'visits').add(1);
    for (let at = 1; at < 120; at++) {
      last = office.record(`orders/${at}`).set({ title: `order ${at}`, made: '2026-01-02' });
    }
    await last;
    const viewport = { width: 360, height: 700 };
    const page = await openPage(await openBrowser(path as string), { viewport });
    await page.goto(`${hub.httpUrl}notebook`);
    await reads(page, '#more', 'Show more: 20 left');
    assert.equal(await page.locator('#orders li').count(), 100);
    await page.click('#more');
    await page.click('#orders a:has-text("order 0")');
    const top = (): Promise<number> => page.evaluate<number>('window.scrollY');
    assert.equal(await top(), 0, 'an order begins at its title');
    await page.click('summary');
    await reads(page, '#order .more', 'Show more: 11 left');
    assert.equal(await page.locator('#history li').count(), 30);
    await page.click('#order .more');
    assert.equal(await page.locator('#history li').count(), 41);
    assert.ok((await top()) > 700);
    const badge = await page.locator('#contact').boundingBox();
    assert.ok(badge !== null && badge.y >= 0 && badge.y < 100);
    await page.evaluate('window.scrollTo(0, 0)');
    await page.click('text=All orders');
    await eventually(top, (y) => y > 1_000);
  },
);
