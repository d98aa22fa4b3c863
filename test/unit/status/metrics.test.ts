import assert from 'node:assert/strict';
import { test } from 'vitest';

import { renderMetrics } from '../../../src/status/metrics.ts';
import { sampleStatus } from '../../support/made/status.ts';

const well = { ok: true, reasons: [] };

/** Name with labels → value, after checking that the text is of the exposition format 0.0.4. */
function parse(text: string): Map<string, number> {
  const values = new Map<string, number>();
  let family = '';
  assert.ok(text.endsWith('\n'));
  for (const line of text.trimEnd().split('\n')) {
    const help = /^# HELP ([a-z_:]+) \S.*$/.exec(line);
    const type = /^# TYPE ([a-z_:]+) (gauge|counter)$/.exec(line);
    const sample = /^([a-z_:]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})? (-?[\d.e+-]+)$/.exec(line);
    if (help !== null) family = help[1] as string;
    else if (type !== null) {
      assert.equal(type[1], family, 'TYPE follows its HELP');
      assert.equal(family.endsWith('_total'), type[2] === 'counter', `${family} by its type`);
    } else {
      assert.ok(sample, `no sample: ${line}`);
      assert.equal(sample[1], family, 'samples follow their family');
      const name = `${sample[1]}${sample[2] ?? ''}`;
      assert.ok(!values.has(name), `${name} stands once`);
      values.set(name, Number(sample[3]));
    }
  }
  return values;
}

test('every figure of the snapshot is a series with help and type', () => {
  const values = parse(renderMetrics(sampleStatus(), well));
  assert.equal(values.get('heliograph_battery_charge_ratio'), 0.644);
  assert.equal(values.get('heliograph_power_state{state="normal"}'), 1);
  assert.equal(values.get('heliograph_power_state{state="saver"}'), 0);
  assert.equal(values.get('heliograph_backlog_ops{class="telemetry"}'), 4821);
  assert.equal(values.get('heliograph_journal_durable_lsn'), 102_340);
  assert.equal(values.get('heliograph_messages_received_total'), 102_000);
  assert.equal(values.get('heliograph_messages_dropped_total'), 5);
  assert.equal(values.get('heliograph_messages_not_retained_total'), 1);
  assert.equal(values.get('heliograph_sync_energy_joules_today{class="telemetry"}'), 900);
  assert.equal(values.get('heliograph_fault{code="journal.full"}'), 0);
  assert.equal(values.get('process_resident_memory_bytes'), 83_000_000);
});

test('what is not known is left out, not zero', () => {
  const power = { ...sampleStatus().power, socPct: null, pvW: null, curtailed: null };
  const values = parse(renderMetrics(sampleStatus({ power }), well));
  for (const name of ['battery_charge_ratio', 'pv_watts', 'pv_curtailed']) {
    assert.ok(!values.has(`heliograph_${name}`), name);
  }
  assert.ok(values.has('heliograph_load_watts'));
});

test('faults and health show', () => {
  const fault = { code: 'journal.full', message: '', hint: '', since: '' } as const;
  const status = sampleStatus({ faults: [fault, fault] });
  const values = parse(renderMetrics(status, { ok: false, reasons: ['journal.full'] }));
  assert.equal(values.get('heliograph_fault{code="journal.full"}'), 1);
  assert.equal(values.get('heliograph_healthy'), 0);
});

test('labels are escaped', () => {
  const text = renderMetrics(sampleStatus({ version: '0"1\\2\n3' }), well);
  assert.match(text, /version="0\\"1\\\\2\\n3"/);
});
