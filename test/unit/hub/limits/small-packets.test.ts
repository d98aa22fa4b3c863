import assert from 'node:assert/strict';
import { test } from 'vitest';

import { type Log, SILENT_LOG } from '../../../../src/base/log.ts';
import { loadConfig } from '../../../../src/config/config.ts';
import { tellSmallPackets } from '../../../../src/hub/limits/small-packets.ts';

test('that packets are too small for devices with the SDK is said at the start', () => {
  const saidOf = (sets: readonly string[]): string[] => {
    const outcome = loadConfig({ sets });
    assert.ok(outcome.kind === 'ok');
    const said: string[] = [];
    const log: Log = { ...SILENT_LOG, warn: (event) => said.push(event) };
    tellSmallPackets(outcome.config.broker, log);
    return said;
  };
  assert.deepEqual(saidOf([]), []);
  assert.deepEqual(saidOf(['broker.packet_bytes_max=100000']), ['sync.packets-small']);
});
