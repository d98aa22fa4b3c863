/** A day in the field with the whole program and every fault: nothing acknowledged is lost, and it replays. */
import assert from 'node:assert/strict';
import { expect, test } from 'vitest';

import { evaluate, SMALL_LTE } from '../../src/pilot/world/light-model.ts';
import type { PilotOutcome } from '../../src/pilot/outcome.ts';
import { runPilot } from '../../src/pilot/pilot.ts';
import { reportHtml } from '../../src/pilot/report/document.ts';
import { FAULT_KINDS, type FaultKind, seededScenario } from '../../src/pilot/scenario.ts';
import { openBrowser } from '../support/machine/browser.ts';
import { testWithPeers } from '../support/machine/peers.ts';

function pilotOf(
  days: number,
  devices: number,
  faults: readonly FaultKind[],
  quotaMib?: number,
): Promise<PilotOutcome> {
  const parts = { preset: SMALL_LTE, days, devices, faults: new Set(faults), quotaMib };
  return runPilot(seededScenario(5, parts));
}

test('a day with every fault: all promises are kept, and the report tells of them', async () => {
  const outcome = await pilotOf(1, 8, FAULT_KINDS);
  const { byClass, recorder } = outcome;
  assert.ok(outcome.acknowledged > 2_000, `${outcome.acknowledged} acknowledged`);
  assert.ok(outcome.restarts > 0, 'the hub was killed');
  assert.equal(byClass[3].born, byClass[3].acknowledged);
  assert.equal(recorder.samples.length, 96);
  assert.match(outcome.digest, /^[0-9a-f]{64}$/);
  const miss = { name: 'site down', value: 0.007, limit: 0.005, holds: false, best: 0.006 };
  const measures = [miss, { ...miss, name: 'records late', best: 0 }];
  const never = evaluate({ ...outcome.scenario, policy: 'never' });
  const html = reportHtml(outcome, [never], { measures, attainable: { kind: 'yes' } });
  assert.match(html, /site down 0\.7 %, at most 0\.5 %; perfect foresight .* too: 0\.6 % at best</);
  assert.match(html, /records late 0\.7 %, at most 0\.5 %</);
  assert.match(html, /Nothing that was acknowledged is missing/);
  const shown = html.replaceAll(/<script.*?<\/script>/gs, '');
  assert.ok(!/NaN|undefined|src=|href=/.test(shown), 'every figure is one, and nothing is loaded');
});

test('the same seed gives the same month, to the byte', async () => {
  const first = await pilotOf(1, 2, ['kill', 'link']);
  const second = await pilotOf(1, 2, ['kill', 'link']);
  expect(second.recorder.lines).toEqual(first.recorder.lines);
  assert.equal(second.digest, first.digest);
  assert.equal(second.radioBytes, first.radioBytes);
});

test('a contract by the byte is kept, and the report tells of it', async () => {
  const outcome = await pilotOf(1, 2, ['metered'], 1);
  const [use] = outcome.contract;
  assert.equal(use?.link, 'cellular');
  assert.ok(use.bytes < 1 << 20, `${use.bytes} bytes`);
  assert.ok(outcome.byClass[3].stored > 200);
  assert.equal(outcome.byClass[3].late, 0);
  const html = reportHtml(outcome, []);
  assert.match(html, /<h2>Bytes that are paid for<\/h2>/);
  assert.match(html, /<td>1 MiB<\/td>/);
});

testWithPeers(
  'pointed at, the report tells what was decided and what was wrong then',
  ['chromium'],
  async ([chromium = '']) => {
    const outcome = await pilotOf(1, 2, ['link']);
    const { recorder, scenario } = outcome;
    const fault = recorder.faults[0];
    assert.ok(fault !== undefined, 'something was wrong');
    const atMs = (fault.fromMs + fault.toMs) / 2;
    const decided = recorder.lines.findLast(
      (line) => line.atMs <= atMs && ['decision', 'state'].includes(line.event),
    );
    const browser = await openBrowser(chromium);
    const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
    await page.setContent(reportHtml(outcome, []));
    const chart = page.locator('#story');
    await chart.scrollIntoViewIfNeeded();
    const box = await chart.boundingBox();
    const data = JSON.parse((await page.locator('#data').textContent()) ?? '') as {
      left: number;
      right: number;
      width: number;
    };
    assert.ok(box !== null);
    const ofDay = (atMs - scenario.startMs) / 86_400_000;
    const x = data.left + ofDay * (data.width - data.left - data.right);
    await page.mouse.move(box.x + (x * box.width) / data.width, box.y + 60);
    const told = await page.locator('#tip').innerText();
    assert.ok(told.includes(fault.text), told);
    assert.ok(decided !== undefined && told.includes(decided.why), told);
    await page.mouse.move(2, 2);
    assert.equal(await page.locator('#tip').isVisible(), false);
  },
);

test('an interrupted month ends within the hour', async () => {
  const parts = { preset: SMALL_LTE, days: 30, devices: 2, faults: new Set<FaultKind>() };
  const interrupt = new AbortController();
  let days = 0;
  const onDay = (): void => {
    days += 1;
    interrupt.abort(new Error('Ctrl-C'));
  };
  const running = runPilot(seededScenario(5, parts), { onDay, signal: interrupt.signal });
  await assert.rejects(running, /Ctrl-C/);
  assert.equal(days, 1);
});
