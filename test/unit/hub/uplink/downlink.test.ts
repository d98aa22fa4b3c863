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
    door: {
      acceptCopies: () => ({ lsn: 7, taken: [], reasons: [], hasGap: false }),
      progress: () => ({ vector: new Map(), lastHlc: { ms: 0, counter: 0 } }),
    },
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

const NOW_MS = Date.UTC(2026, 10, 27);

/** A hub whose records hold a wish of the region: everything for 30 minutes, from `NOW_MS` on. */
function wishedRig(
  wallMs: number,
  newestMs = 0,
): {
  wallMs: number;
  untilMs: number;
  current: Override | undefined;
  readonly begun: number[];
  readonly open: () => HubDownlink;
} {
  const fieldOf = (value: number | string) => ({
    order: { authority: AUTHORITY.operator, hlc: { ms: NOW_MS, counter: 0 } },
    value: encodeCbor(value),
  });
  const begun: number[] = [];
  const rig = {
    wallMs,
    untilMs: NOW_MS + 30 * MINUTE_MS,
    current: undefined as Override | undefined,
    begun,
    open: () => new HubDownlink(options),
  };
  const options = {
    door: {
      acceptCopies: () => ({ lsn: 1, taken: [{ key: 'control/all' }], reasons: [], hasGap: false }),
      progress: () => ({ vector: new Map(), lastHlc: { ms: newestMs, counter: 0 } }),
    },
    journal: { durableLsn: 0, whenDurable: () => Promise.resolve() },
    store: {
      whenApplied: () => Promise.resolve(),
      state: {
        records: {
          get: () => ({
            fields: new Map([
              ['override_until', fieldOf(rig.untilMs)],
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
          rig.current =
            durationMs > 0 ? { untilMs: rig.wallMs + durationMs, who, isHeld: false } : undefined;
        },
        current: () => rig.current,
      },
    },
    healing: { came: () => undefined },
    clock: { wallMs: () => rig.wallMs },
    settings: { keys: [], look: () => Promise.resolve() },
    hub: 'aaaaaaaaaaaaaaaa',
    log: SILENT_LOG,
  } as unknown as HubDownlinkOptions;
  return rig;
}

test('the region ends what it began, also at a hub whose clock has leapt ahead meanwhile', async () => {
  const rig = wishedRig(NOW_MS);
  const { begun } = rig;
  const downlink = rig.open();
  await downlink.take([]);
  assert.deepEqual(begun, [30]);
  rig.wallMs = Date.UTC(2030, 0, 1);
  rig.untilMs = NOW_MS - 1;
  await downlink.take([]);
  assert.deepEqual(begun, [30, 0]);

  rig.current = { untilMs: rig.wallMs + MINUTE_MS, who: 'somebody on site', isHeld: false };
  rig.untilMs -= 1;
  await downlink.take([]);
  assert.deepEqual(begun, [30, 0], 'what others began goes on');
});

test('a wish of the region cuts nothing off what somebody on site began, and may go on beyond it', async () => {
  const rig = wishedRig(NOW_MS);
  rig.current = { untilMs: NOW_MS + 60 * MINUTE_MS, who: 'somebody on site', isHeld: false };
  const downlink = rig.open();
  await downlink.take([]);
  assert.deepEqual(rig.begun, [], 'half an hour is over before the hour is');
  rig.current = { untilMs: NOW_MS + 10 * MINUTE_MS, who: 'somebody on site', isHeld: false };
  rig.untilMs += 1;
  await downlink.take([]);
  assert.deepEqual(rig.begun, [30]);
});

test.each([
  ['five minutes into it', 5, [25]],
  ['a week later', 7 * 24 * 60, []],
])('a hub that starts in 1970, %s, resumes no more than what is left', async (_, minutes, left) => {
  const rig = wishedRig(0, NOW_MS + minutes * MINUTE_MS);
  const downlink = rig.open();
  for (let turn = 0; turn < 8; turn++) await Promise.resolve();
  assert.deepEqual(rig.begun, left);
  await downlink.take([]);
  assert.deepEqual(rig.begun, left, 'another record of the kind came');
});
