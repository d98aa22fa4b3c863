/** `heliograph bench` end to end: both brokers really run, and the figures are figures. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';

import { test } from 'vitest';

import { heliograph } from '../support/hubs/hub.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

interface Report {
  readonly scenarios: readonly {
    readonly name: string;
    readonly brokers: Readonly<Record<string, Readonly<Record<string, number>>>>;
    readonly ratio: number;
  }[];
}

const SHORT = ['--seconds', '1', '--runs', '1', '--json'];

testWithPeers(
  'bench ingest measures hub and rival under the same load',
  ['mosquitto'],
  async () => {
    const dir = tempDir();
    const names = ['window20', 'live1'];
    const chosen = names.flatMap((name) => ['--scenario', name]);
    const options = [...chosen, '--vs', 'mosquitto', ...SHORT, '--dir', dir];
    const bench = heliograph(['bench', 'ingest', ...options]);
    assert.equal(await bench.exited, 0, bench.lines.join('\n'));
    const { scenarios } = JSON.parse(jsonOf(bench.lines)) as Report;
    assert.deepEqual(
      scenarios.map(({ name }) => name),
      names,
    );
    for (const { brokers, ratio } of scenarios) {
      const ours = brokers['heliograph'] ?? {};
      assert.ok((ours['msgsPerS'] ?? 0) > 0 && (brokers['mosquitto']?.['msgsPerS'] ?? 0) > 0);
      assert.ok((ours['syncs'] ?? 0) > 0, 'the hub waits for the disk');
      assert.ok((ours['rssPeakMb'] ?? 0) >= (ours['rssIdleMb'] ?? 0));
      assert.ok(ratio > 0);
    }
    assert.deepEqual(readdirSync(dir), [], 'nothing is left behind');
  },
);

test('bench ingest measures beside the least that can promise the disk', async () => {
  const options = ['--scenario', 'window1', '--vs', 'bare', ...SHORT, '--dir', tempDir()];
  const bench = heliograph(['bench', 'ingest', ...options]);
  assert.equal(await bench.exited, 0, bench.lines.join('\n'));
  const { scenarios } = JSON.parse(jsonOf(bench.lines)) as Report;
  assert.ok((scenarios[0]?.brokers['bare']?.['msgsPerS'] ?? 0) > 0);
  assert.ok((scenarios[0]?.ratio ?? 0) > 0);
});

test('bench steady compares the last minute with the second', async () => {
  const options = ['--minutes', '2', '--seconds', '1', '--rate', '400', '--json'];
  const bench = heliograph(['bench', 'steady', ...options, '--dir', tempDir()]);
  assert.equal(await bench.exited, 0, bench.lines.join('\n'));
  const { foldsPerS, minutes, ratios } = JSON.parse(jsonOf(bench.lines)) as {
    readonly foldsPerS: number;
    readonly minutes: readonly { readonly msgsPerS: number; readonly rssMb: number }[];
    readonly ratios: Readonly<Record<string, number>>;
  };
  assert.ok(foldsPerS > 0);
  assert.equal(minutes.length, 2);
  assert.ok(minutes.every(({ msgsPerS, rssMb }) => msgsPerS > 0 && rssMb > 20));
  assert.equal(ratios['rssMb'], 1, 'the second is the last');
});

test('bench drain gets every stored message to the subscriber that comes back', async () => {
  const bench = heliograph(['bench', 'drain', ...SHORT, '--dir', tempDir()]);
  assert.equal(await bench.exited, 0, bench.lines.join('\n'));
  const { scenarios } = JSON.parse(jsonOf(bench.lines)) as Report;
  assert.ok((scenarios[0]?.brokers['heliograph']?.['drainedPerS'] ?? 0) > 0);
});

test('bench recover starts hubs on an empty journal and on a full one', async () => {
  const dir = tempDir();
  const options = ['--ops', '20000', '--runs', '1', '--json', '--dir', dir];
  const bench = heliograph(['bench', 'recover', ...options]);
  assert.equal(await bench.exited, 0, bench.lines.join('\n'));
  const report = JSON.parse(jsonOf(bench.lines)) as Record<'empty' | 'recovered', StartReport>;
  assert.equal(report.recovered.ops, 20_000);
  for (const { connackMs, cpuMs, rssMb } of Object.values(report)) {
    assert.ok(connackMs > 0 && cpuMs > 0 && rssMb > 0);
  }
  assert.deepEqual(readdirSync(dir), [], 'nothing is left behind');
});

interface StartReport {
  readonly ops: number;
  readonly connackMs: number;
  readonly cpuMs: number;
  readonly rssMb: number;
}

interface UplinkReport {
  readonly ops: number;
  readonly building: { readonly rounds: readonly { readonly opsPerS: number }[] };
  readonly acks: Readonly<
    Record<'building' | 'idle', { readonly samples: number; readonly p999Ms: number }>
  >;
  readonly batches: { readonly bytesUp: number; readonly bytesDown: number };
  readonly bridge: { readonly bytesPerOp: number };
  readonly ratioToBridge: number;
}

testWithPeers(
  'bench uplink counts every byte of batches and of a bridge that carries the same',
  ['mosquitto'],
  async () => {
    const dir = tempDir();
    const short = ['--minutes', '20', '--seconds', '1'];
    const options = [...short, '--vs', 'mosquitto', '--json', '--dir', dir];
    const bench = heliograph(['bench', 'uplink', ...options]);
    assert.equal(await bench.exited, 0, bench.lines.join('\n'));
    const report = JSON.parse(jsonOf(bench.lines)) as UplinkReport;
    assert.equal(report.ops, 1_000);
    assert.ok(report.building.rounds.every(({ opsPerS }) => opsPerS > 0));
    for (const { samples, p999Ms } of [report.acks.idle, report.acks.building]) {
      assert.ok(samples > 0 && p999Ms > 0, `${samples} acknowledgements, ${p999Ms} ms`);
    }
    assert.ok(report.batches.bytesUp > 4_000, 'the readings themselves have passed');
    assert.ok(report.batches.bytesDown > 300, 'greeting and receipts have passed');
    assert.ok(report.bridge.bytesPerOp > 96 + 23, 'the bridge sends topic and payload');
    assert.ok(report.ratioToBridge > 10, `${report.ratioToBridge}`);
    assert.deepEqual(readdirSync(dir), [], 'nothing is left behind');
  },
);

/** The document among the lines of progress. */
function jsonOf(lines: readonly string[]): string {
  return lines.find((line) => line.startsWith('{')) ?? '';
}

test('bench power: a tick, its memory and an idle hub within their limits', async () => {
  const bench = heliograph(['bench', 'power', '--seconds', '2', '--json', '--dir', tempDir()]);
  assert.equal(await bench.exited, 0, bench.lines.join('\n'));
  const { tickMs, stateBytes } = JSON.parse(jsonOf(bench.lines)) as {
    readonly tickMs: { readonly median: number };
    readonly stateBytes: number;
  };
  assert.ok(tickMs.median < 5, `${tickMs.median} ms`);
  assert.ok(stateBytes > 100 && stateBytes < 100_000, `${stateBytes} bytes`);
});
