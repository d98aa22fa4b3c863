import assert from 'node:assert/strict';
import { test } from 'vitest';

import { type Log, SILENT_LOG } from '../../../../src/base/log.ts';
import { loadConfig } from '../../../../src/config/config.ts';
import { withinOpenFiles } from '../../../../src/hub/limits/open-files.ts';

/** Places at the broker's port and at the page, and what the log said of them. */
function placesOf(openFiles: number, sets: readonly string[] = []): [number, number, string[]] {
  const outcome = loadConfig({ sets });
  assert.ok(outcome.kind === 'ok');
  const said: string[] = [];
  const log: Log = { ...SILENT_LOG, warn: (event) => said.push(event) };
  const host = { openFilesMax: () => openFiles };
  const { broker, http } = withinOpenFiles(outcome.config, { host, log });
  return [broker.connectionsMax, http.connectionsMax, said];
}

test('as many connections find a place as leave files for the hub itself', () => {
  const few = ['hub.open-files-few'];
  assert.deepEqual(placesOf(16_384), [6_000, 256, []]);
  assert.deepEqual(placesOf(16_384, ['broker.tls_port=8883']), [6_000, 256, []]);
  assert.deepEqual(placesOf(Infinity), [6_000, 256, []]);
  assert.deepEqual(placesOf(4_096), [3_740, 256, few]);
  assert.deepEqual(placesOf(4_096, ['broker.tls_port=8883']), [1_870, 256, few]);
  assert.deepEqual(placesOf(1_024), [693, 231, few]);
  assert.deepEqual(placesOf(1_024, ['broker.connections_max=200', 'http.connections_max=20']), [
    200,
    20,
    [],
  ]);
  assert.deepEqual(placesOf(64), [8, 4, few]);
});
