/** Lines of the audit log: grouped, bounded, whole after a crash, and the way of one op among them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { FILE_BYTES_MAX, readAudit } from '../../../src/audit/audit-files.ts';
import type { AuditLine } from '../../../src/audit/audit-line.ts';
import { type AuditedBatch, AuditTrail } from '../../../src/audit/audit-trail.ts';
import { wayOfOp } from '../../../src/audit/way-of-op.ts';
import { ALARM, TELEMETRY } from '../../../src/model/class.ts';
import type { Origin } from '../../../src/model/origin.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { HUB_ID, stampedOp, START_MS } from '../../support/made/batches.ts';
import { KeptLog } from '../../support/simulated/uplink-world.ts';

interface Schema {
  readonly required: readonly string[];
  readonly properties: { readonly event: { readonly enum: readonly string[] } };
  readonly allOf: readonly {
    readonly if: { readonly properties: { readonly event: { const?: string; enum?: string[] } } };
    readonly then: { readonly required: readonly string[] };
  }[];
}

const BATCH: AuditedBatch = {
  id: 'ab'.repeat(16),
  class: TELEMETRY,
  ranges: [{ origin: HUB_ID, class: TELEMETRY, from: 1, to: 90 }],
  fromLsn: 1,
  throughLsn: 100,
  ops: 90,
};

class Rig {
  readonly clock = new SimClock(START_MS);
  readonly files = new SimFiles({ random: new SeededRandom(1) });
  readonly log = new KeptLog();
  trail = this.open();

  open(filesMax = 2): AuditTrail {
    const { files, clock, log } = this;
    return AuditTrail.open({ files, dir: 'audit', filesMax, clock, timers: clock, log });
  }

  /** Ops of the hub's own lane, at these places of the journal. */
  take(from: number, to: number, opClass: typeof TELEMETRY | typeof ALARM = TELEMETRY): void {
    for (let lsn = from; lsn <= to; lsn++) {
      const { op, stamp } = stampedOp(lsn, { class: opClass });
      this.trail.received(lsn, op, stamp);
      this.trail.merged(lsn);
    }
  }

  get lines(): AuditLine[] {
    return readAudit(this.files, 'audit');
  }

  way(seq: number): string[] {
    const op = { origin: HUB_ID, class: 'telemetry', seq };
    return wayOfOp(this.lines, op).map(({ event }) => event);
  }
}

test('what comes behind the close is left to the next start, which finds it in the journal', async () => {
  const rig = new Rig();
  rig.take(1, 5);
  rig.trail.close();
  rig.take(6, 9);
  rig.trail.batched(BATCH);
  await rig.clock.advance(120_000);
  assert.deepEqual(rig.log.lines, []);
  assert.equal(rig.open().seenLsn, 5);
});

test('a thousand ops are two lines; the first group comes soon, the next within a minute', async () => {
  const it = new Rig();
  it.take(1, 1_000);
  assert.equal(it.lines.length, 0);
  await it.clock.advance(2_000);
  assert.deepEqual(
    it.lines.map(({ event }) => event),
    ['received', 'merged'],
  );
  const [received] = it.lines;
  assert.ok(received?.event === 'received');
  assert.deepEqual(received.ranges, [[HUB_ID, 1, 1_000]]);
  assert.equal(received.ops, 1_000);
  it.take(1_001, 1_002);
  await it.clock.advance(10_000);
  assert.equal(it.lines.length, 2, 'no second write so soon');
  await it.clock.advance(50_000);
  assert.equal(it.lines.length, 4);
});

test('where an op is, and when it got there', async () => {
  const it = new Rig();
  it.take(1, 90);
  await it.clock.advance(2_000);
  assert.deepEqual(it.way(17), ['received', 'merged']);
  it.trail.batched(BATCH);
  it.trail.receipted(BATCH);
  it.take(91, 95);
  await it.clock.advance(60_000);
  it.trail.pruned(1, 80);
  it.trail.pruned(81, 200);
  await it.clock.advance(60_000);
  assert.deepEqual(it.way(17), ['received', 'merged', 'batched', 'receipted', 'pruned']);
  assert.deepEqual(it.way(93), ['received', 'merged', 'pruned']);
  assert.deepEqual(it.way(1_000), []);
});

test('conflict, undo and refusal name their ops', async () => {
  const it = new Rig();
  const [one, two] = [`${HUB_ID}/telemetry/1`, `${HUB_ID}/telemetry/2`];
  it.take(1, 3);
  it.trail.conflict({ winner: one, loser: two, key: 'order/1', field: 'status' });
  it.trail.undone(two, `${HUB_ID}/telemetry/3`);
  it.trail.refused(BATCH, 'too new');
  await it.clock.advance(2_000);
  assert.deepEqual(
    it.way(2),
    ['received', 'merged', 'refused', 'conflict', 'undone'].toSorted((a, b) => order(a) - order(b)),
  );
  function order(event: string): number {
    return it.lines.findIndex((line) => line.event === event);
  }
});

test('undone ops and conflicts are written early where there are many', () => {
  const rig = new Rig();
  for (let seq = 1; seq <= 1_000; seq++) rig.trail.undone(`o/record/${seq}`, `o/record/${seq + 1}`);
  assert.equal(rig.lines.length, 1_000);
});

test('where the log ends is found in its newest file: an older one is not read', () => {
  const it = new Rig();
  it.take(1, 50);
  it.trail.close();
  const old = `audit/${it.files.list('audit')[0]}`;
  it.files.open('audit/audit-00000002.jsonl', 'create').close();
  it.trail = it.open();
  assert.equal(it.trail.seenLsn, 50, 'an empty file sends to the one before');
  it.take(51, 60);
  it.trail.close();
  const file = it.files.open(old, 'update');
  file.writeAt(utf8('{"at":"2026","event":"merged","lsns":[1,999]}\n'), file.size());
  file.close();
  it.trail = it.open();
  assert.equal(it.trail.seenLsn, 60);
});

test('the log goes on where its last line ends, and a torn line is cut off', async () => {
  const it = new Rig();
  it.take(1, 50);
  it.trail.close();
  const path = `audit/${it.files.list('audit')[0]}`;
  const file = it.files.open(path, 'update');
  file.writeAt(utf8('{"at":"2026'), file.size());
  file.close();
  it.trail = it.open();
  assert.equal(it.trail.seenLsn, 50);
  it.take(51, 52);
  it.trail.close();
  assert.deepEqual(
    it.lines.map(({ event }) => event),
    ['received', 'merged', 'received', 'merged'],
  );
  await it.clock.advance(1);
});

test('files keep their size and their number, whatever comes', async () => {
  const it = new Rig();
  const many: AuditedBatch = {
    ...BATCH,
    ranges: Array.from({ length: 5_000 }, (_, n) => {
      return { origin: HUB_ID, class: TELEMETRY, from: 2 * n + 1, to: 2 * n + 1 } as const;
    }),
    ops: 5_000,
  };
  for (let n = 0; n < 60; n++) {
    it.trail.batched(many);
    await it.clock.advance(61_000);
  }
  const names = it.files.list('audit');
  assert.equal(names.length, 2);
  for (const name of names) {
    assert.ok((it.files.read(`audit/${name}`)?.length ?? 0) <= FILE_BYTES_MAX);
  }
  assert.ok(it.lines.every((line) => !('ranges' in line) || line.ranges.length <= 128));
});

test('at a region a batch is received and receipted at once, and its lines say whose it is', async () => {
  const it = new Rig();
  const source = { site: 'demo', hub: HUB_ID, oldestMs: 1_000, newestMs: 2_000 };
  it.trail.stored(BATCH, source);
  it.trail.refused(BATCH, 'too new', source);
  await it.clock.advance(2_000);
  assert.deepEqual(
    it.lines.map(({ event, site, hub }) => ({ event, site, hub })),
    ['received', 'receipted', 'refused'].map((event) => ({ event, site: 'demo', hub: HUB_ID })),
  );
  const [received] = it.lines;
  assert.ok(received?.event === 'received');
  assert.deepEqual(
    [received.firstAt, received.lastAt],
    ['1970-01-01T00:00:01.000Z', '1970-01-01T00:00:02.000Z'],
  );
  assert.deepEqual(
    received.ranges,
    BATCH.ranges.map(({ origin, from, to }) => [origin, from, to]),
  );
});

test('every line is as the schema says', async () => {
  const it = new Rig();
  it.take(1, 3);
  it.trail.batched(BATCH);
  it.trail.refused(BATCH, 'too new');
  it.trail.hindered('its law');
  it.trail.undone(`${HUB_ID}/record/2`, `${HUB_ID}/record/3`);
  it.trail.pruned(1, 2);
  await it.clock.advance(2_000);
  const path = join(import.meta.dirname, '../../../src/audit/audit.schema.json');
  const schema = JSON.parse(readFileSync(path, 'utf8')) as Schema;
  for (const line of it.lines) {
    assert.ok(schema.properties.event.enum.includes(line.event));
    const rules = schema.allOf.filter(({ if: { properties } }) => {
      return [properties.event.const, ...(properties.event.enum ?? [])].includes(line.event);
    });
    const required = [...schema.required, ...rules.flatMap(({ then }) => then.required)];
    assert.deepEqual(Object.keys(line).toSorted(), required.toSorted(), line.event);
  }
});

test('another lane of the same number is another op', async () => {
  const it = new Rig();
  it.take(1, 5);
  await it.clock.advance(2_000);
  const op = { origin: '00'.repeat(8) as Origin, class: 'telemetry', seq: 3 };
  assert.deepEqual(wayOfOp(it.lines, op), []);
  assert.deepEqual(wayOfOp(it.lines, { ...op, origin: HUB_ID, class: 'alarm' }), []);
});
