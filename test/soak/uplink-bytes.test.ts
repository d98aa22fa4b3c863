/**
 * A day of fifty meters, a reading a minute each, on its way up through Mosquitto: what it costs on the wire, all included, beside a
 * bridge that carries the same and beside the values packed offline.
 */
import assert from 'node:assert/strict';

import { heliograph } from '../support/hubs/hub.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const BYTES_AN_OP_MAX = 7;
const RATIO_TO_OFFLINE_MAX = 1.25;
const RATIO_TO_BRIDGE_MIN = 20;

interface Report {
  readonly ops: number;
  readonly batches: { readonly bytesPerOp: number };
  readonly ratioToOffline: number;
  readonly ratioToBridge: number;
}

testWithPeers('a day of meters goes up in 7 bytes a reading', ['mosquitto'], async () => {
  const options = ['--seconds', '1', '--vs', 'mosquitto', '--json', '--dir', tempDir()];
  const bench = heliograph(['bench', 'uplink', ...options]);
  assert.equal(await bench.exited, 0, bench.lines.join('\n'));
  const { lines } = bench;
  const json = lines.slice(lines.indexOf('{'), lines.indexOf('}') + 1).join('\n');
  const { ops, batches, ratioToOffline, ratioToBridge } = JSON.parse(json) as Report;
  console.log({ ops, ...batches, ratioToOffline, ratioToBridge });
  assert.equal(ops, 72_000);
  assert.ok(batches.bytesPerOp <= BYTES_AN_OP_MAX, `${batches.bytesPerOp} bytes an op`);
  assert.ok(ratioToOffline <= RATIO_TO_OFFLINE_MAX, `${ratioToOffline} times packed offline`);
  assert.ok(ratioToBridge >= RATIO_TO_BRIDGE_MIN, `a bridge takes ${ratioToBridge} times ours`);
});
