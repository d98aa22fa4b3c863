/** What the region sends, where it comes twice. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { SILENT_LOG } from '../../../src/base/log.ts';
import { HubDownlink, type HubDownlinkOptions } from '../../../src/hub/sync/downlink.ts';

test('a receipt for ops that are known waits until they are durable', async () => {
  const waits: number[] = [];
  let synced = (): void => undefined;
  const options = {
    door: { acceptCopies: () => ({ lsn: 0, taken: [], reasons: [] }) },
    journal: {
      durableLsn: 0,
      lastLsn: 7,
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
