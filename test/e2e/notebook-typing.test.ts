/** The notebook while somebody types: what others write meanwhile, what is left in the midst, and names and texts from anywhere. */
import assert from 'node:assert/strict';

import type { Page } from 'playwright-core';
import { onTestFinished } from 'vitest';

import { connect } from '../../src/client/node.ts';
import { startHub } from '../support/hubs/hub.ts';
import { holds, openBrowser, openPage, reads } from '../support/machine/browser.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { tempDir } from '../support/machine/temp-dir.ts';
import type { Device } from '../../src/client/index.ts';

const ORDER = 'orders/pump-3';
const TITLE = '#order [name=title]';

/** A hub, a device at it that has made an order, and the notebook with that order open. */
async function openOrder(path: string): Promise<{ office: Device; page: Page }> {
  const hub = await startHub({ data: tempDir() });
  const office = await connect({ url: hub.mqttUrl, dir: tempDir() });
  onTestFinished(() => office.close());
  await office.record(ORDER).set({ title: 'pump 3 leaks', made: '2026-01-01' });
  const page = await openPage(await openBrowser(path));
  await page.goto(`${hub.httpUrl}notebook`);
  await page.click('#orders a:has-text("pump 3 leaks")');
  return { office, page };
}

testWithPeers(
  'what others write into a field is seen while it is only looked at, and no conflict is hidden from who types',
  ['chromium'],
  async ([path]) => {
    const { office, page } = await openOrder(path as string);
    await page.focus(TITLE);
    await office.record(ORDER).set({ title: 'pump 4 leaks' });
    await holds(page, TITLE, 'pump 4 leaks');
    await page.press(TITLE, 'End');
    await page.type(TITLE, ' badly');
    await office.record(ORDER).set({ title: 'pump 5 leaks' });
    await reads(page, '#orders .title', 'pump 5 leaks');
    assert.equal(await page.inputValue(TITLE), 'pump 4 leaks badly');
    await page.press(TITLE, 'Enter');
    await reads(page, '.conflict', 'Title was changed in two places at once');
    for (const side of ['pump 4 leaks badly', 'pump 5 leaks']) await reads(page, '.side', side);
  },
);

testWithPeers(
  'what was typed is kept where the order is left in the midst of it, and nothing is made of what was taken back',
  ['chromium'],
  async ([path]) => {
    const { office, page } = await openOrder(path as string);
    await page.focus('[name=who]');
    await page.type('[name=who]', 'x');
    await office.record(ORDER).set({ who: 'Kamau' });
    await reads(page, '#orders .marks', 'Kamau');
    await page.press('[name=who]', 'Backspace');
    await page.press('[name=who]', 'Tab');
    await holds(page, '[name=who]', 'Kamau');
    await page.focus('[name=where]');
    await page.type('[name=where]', 'behind the school');
    await page.goBack();
    await page.waitForSelector('#order', { state: 'hidden' });
    await page.goForward();
    await holds(page, '[name=where]', 'behind the school');
    await page.waitForSelector('#waiting', { state: 'hidden' });
    assert.deepEqual(office.conflicts(), []);
    assert.equal(office.record(ORDER).value?.fields['who'], 'Kamau');
  },
);

testWithPeers(
  'an order of any name opens, and an address that is none shows the list',
  ['chromium'],
  async ([path]) => {
    const { office, page } = await openOrder(path as string);
    await office.record('orders/50% done #2 %41').set({ title: 'half of it', made: '2026-01-02' });
    await page.click('#orders a:has-text("half of it")');
    await holds(page, TITLE, 'half of it');
    await page.reload();
    await holds(page, TITLE, 'half of it');
    await page.goto(`${page.url().split('#')[0]}#orders/50%`);
    await page.reload();
    await reads(page, '#contact', 'in contact');
    await page.waitForSelector('#order', { state: 'hidden' });
    assert.ok(await page.locator('#trouble').isHidden());
  },
);

testWithPeers(
  'what other programs write is shown as it is, and never makes the page wider than the phone',
  ['chromium'],
  async ([path]) => {
    const { office, page } = await openOrder(path as string);
    await page.setViewportSize({ width: 360, height: 740 });
    const state = 'frozen, until the spare part comes that was ordered twice';
    const long = { title: 'x'.repeat(5_000), who: 'y'.repeat(300), state };
    await office.record(ORDER).set(long);
    await holds(page, TITLE, long.title);
    await holds(page, '[name=state]', state);
    await page.goBack();
    await page.waitForSelector('#order', { state: 'hidden' });
    const wide = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
    assert.ok(wide <= 0, `${wide} px beyond 360`);
    const height = (await page.locator('#orders li').boundingBox())?.height ?? 0;
    assert.ok(height < 300, `one order of ${height} px`);
    const titleWidth = (await page.locator('#orders .title').boundingBox())?.width ?? 0;
    assert.ok(titleWidth > 160, `a title of ${titleWidth} px beside its state`);
  },
);

testWithPeers(
  'a browser that keeps nothing for this page says so, and what to do',
  ['chromium'],
  async ([path]) => {
    const hub = await startHub({ data: tempDir() });
    const browser = await openBrowser(path as string);
    const refusals = [
      'Object.defineProperty(window, "indexedDB", { value: undefined });',
      'IDBFactory.prototype.open = () => { throw new DOMException("insecure", "SecurityError"); };',
      `const open = IDBFactory.prototype.open;
       IDBFactory.prototype.open = function () {
         const request = open.call(this, 'other');
         Object.defineProperty(request, 'error', {
           value: new DOMException('did not allow mutations.', 'InvalidStateError'),
         });
         setTimeout(() => request.dispatchEvent(new Event('error')));
         return request;
       };`,
    ];
    for (const refusal of refusals) {
      const page = await openPage(browser);
      await page.addInitScript(refusal);
      await page.goto(`${hub.httpUrl}notebook`);
      await reads(page, '#trouble', /keeps nothing for this page\. .*allow storage for this site/);
    }
  },
);

testWithPeers(
  'a text that is written from right to left stands so, whatever is in it from left to right',
  ['chromium'],
  async ([path]) => {
    const { office, page } = await openOrder(path as string);
    await office.record(ORDER).set({ title: 'مضخة ٣ تتسرب: valve 12', where: 'خلف المدرسة' });
    await reads(page, '#orders .title', 'valve 12');
    // In words, because it runs in the page: how far the first character stands from the left.
    const startsAt = await page.evaluate<number>(`(() => {
      const title = document.querySelector('#orders .title');
      const range = document.createRange();
      range.setStart(title.firstChild, 0);
      range.setEnd(title.firstChild, 1);
      const [box, first] = [title.getBoundingClientRect(), range.getBoundingClientRect()];
      return (first.right - box.left) / box.width;
    })()`);
    assert.ok(startsAt > 0.9, `it begins at ${startsAt} of the line`);
  },
);
