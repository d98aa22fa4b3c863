/** What the region sends, where it comes twice. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { SILENT_LOG } from '../../../../src/base/log.ts';
import { encodeCbor } from '../../../../src/codec/writer.ts';
import { HubDownlink, type HubDownlinkOptions } from '../../../../src/hub/uplink/downlink.ts';
import { AUTHORITY } from '../../../../src/model/op.ts';
import type { Override } from '../../../../src/status/api/override.ts';

const MINUTE_MS = 60_000;

test('a receipt for ops that are known waits until they are durable', async () => {
  const waits: number[] = [];
  let synced = (): void => undefined;
  const options = {
    door: { acceptCopies: () => ({ lsn: 7, taken: [], reasons: [], hasGap: false }) },
    journal: {
      durableLsn: 0,
      whenDurable: (lsn: number) => {
        waits.push(lsn);
        return new Promise<void>((resolve) => (synced = resolve));
      },
    },
    store: {
      whenApplied: () => Promise.resolve(),
      state: { records: { get: () => ({ fields: new Map() }) } },
    },
    clock: { wallMs: () => 0 },
    settings: { keys: [], look: () => Promise.resolve() },
    hub: 'aaaaaaaaaaaaaaaa',
    log: SILENT_LOG,
  } as unknown as HubDownlinkOptions;
  let isReceipted = false;
  const receipt = new HubDownlink(options).take([]).then(() => (isReceipted = true));
  for (let turn = 0; turn < 8; turn++) await Promise.resolve();
  assert.deepEqual([waits, isReceipted], [[7], false]);
  synced();
  await receipt;
});

test('the region ends what it began, also at a hub whose clock has leapt ahead meanwhile', async () => {
  const nowMs = Date.UTC(2026, 10, 27);
  let wallMs = nowMs;
  let untilMs = nowMs + 30 * MINUTE_MS;
  let current: Override | undefined;
  const begun: number[] = [];
  const fieldOf = (value: number | string) => ({
    order: { authority: AUTHORITY.operator, hlc: { ms: nowMs, counter: 0 } },
    value: encodeCbor(value),
  });
  const options = {
    door: {
      acceptCopies: () => ({ lsn: 1, taken: [{ key: 'control/all' }], reasons: [], hasGap: false }),
    },
    journal: { durableLsn: 0, whenDurable: () => Promise.resolve() },
    store: {
      whenApplied: () => Promise.resolve(),
      state: {
        records: {
          get: () => ({
            fields: new Map([
              ['override_until', fieldOf(untilMs)],
              ['override_minutes', fieldOf(30)],
              ['override_by', fieldOf('ana')],
            ]),
          }),
        },
      },
    },
    power: {
      override: {
        begin: (durationMs: number, who: string) => {
          begun.push(durationMs / MINUTE_MS);
          current = durationMs > 0 ? { untilMs: wallMs + durationMs, who } : undefined;
        },
        current: () => current,
      },
    },
    healing: { came: () => undefined },
    clock: { wallMs: () => wallMs },
    settings: { keys: [], look: () => Promise.resolve() },
    hub: 'aaaaaaaaaaaaaaaa',
    log: SILENT_LOG,
  } as unknown as HubDownlinkOptions;
  const downlink = new HubDownlink(options);
  await downlink.take([]);
  assert.deepEqual(begun, [30]);
  wallMs = Date.UTC(2030, 0, 1);
  untilMs = nowMs - 1;
  await downlink.take([]);
  assert.deepEqual(begun, [30, 0]);

  current = { untilMs: wallMs + MINUTE_MS, who: 'somebody on site' };
  untilMs -= 1;
  await downlink.take([]);
  assert.deepEqual(begun, [30, 0], 'what others began goes on');
});
