import assert from 'node:assert/strict';

import fc from 'fast-check';
import { test } from 'vitest';

import type { Timers } from '../../../src/base/clock.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { type Log, SILENT_LOG } from '../../../src/base/log.ts';
import { inlineCompressor } from '../../../src/batch/compression.ts';
import { ALARM, BULK, CLASSES, LOG, type OpClass, TELEMETRY } from '../../../src/model/class.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import type { HistoryLog } from '../../../src/uplink/ports.ts';
import { Outbox } from '../../../src/uplink/outbox.ts';
import { machineTimers } from '../../../src/platform/clock.ts';
import { HUB, SITE, stampedOp, stampedOps, START_MS } from '../../support/made/batches.ts';
import { MemoryJournal } from '../../support/memory/memory-journal.ts';
import { KeptLog } from '../../support/simulated/uplink-world.ts';

interface Limits {
  readonly opsMax?: number;
  readonly spoolBytesMax?: number;
}

function open(...parts: Parameters<typeof openUncounted>): Outbox {
  const outbox = openUncounted(...parts);
  while (outbox.unsealed.scan());
  return outbox;
}

function openUncounted(
  journal: MemoryJournal,
  files: SimFiles,
  limits: Limits = {},
  timers: Timers = machineTimers,
  history?: HistoryLog,
  log: Log = SILENT_LOG,
): Outbox {
  return Outbox.open({
    journal,
    history,
    files,
    dir: 'uplink',
    site: SITE,
    signer: HUB,
    compressor: inlineCompressor,
    clock: new SimClock(START_MS + 60_000),
    timers,
    log,
    sealLimits: { opsMax: limits.opsMax ?? 10, opBytesMax: 1 << 20 },
    spoolBytesMax: limits.spoolBytesMax ?? 1 << 20,
  });
}

function disk(): SimFiles {
  return new SimFiles({ random: new SeededRandom(1) });
}

test('batches of a class follow each other through the journal, each naming the one before', async () => {
  const journal = new MemoryJournal();
  journal.append(...stampedOps(1, 12), stampedOp(1, { class: ALARM }), ...stampedOps(13, 15));
  const outbox = open(journal, disk());
  const first = await outbox.seal(TELEMETRY);
  const second = await outbox.seal(TELEMETRY);
  const alarm = await outbox.seal(ALARM);
  assert.equal(await outbox.seal(TELEMETRY), undefined);
  assert.ok(first && second && alarm);
  const stretches = [first, second, alarm].map(({ manifest }) => [
    manifest.fromLsn,
    manifest.throughLsn,
    manifest.ops,
  ]);
  assert.deepEqual(stretches, [
    [1, 10, 10],
    [11, 16, 5],
    [1, 13, 1],
  ]);
  assert.equal(first.manifest.previous, undefined);
  assert.equal(second.manifest.previous, first.id);
  assert.deepEqual(
    outbox.sendable().map(({ id }) => id),
    [alarm.id, first.id, second.id],
  );
});

test('what was all receipted when a hub stopped is so at the next start, before anything is counted', async () => {
  const journal = new MemoryJournal();
  journal.append(...stampedOps(1, 4));
  const files = disk();
  const outbox = open(journal, files);
  const batch = await outbox.seal(TELEMETRY);
  assert.ok(batch);
  outbox.receipted(batch.id);
  // What comes down needs no receipt.
  journal.appendCopies(stampedOps(5, 9));
  while (outbox.unsealed.scan());
  assert.equal(outbox.receiptedLsn, 9);
  outbox.close();
  assert.equal(openUncounted(journal, files).receiptedLsn, 9);
});

test('a disk that takes nothing keeps no hub from stopping', async () => {
  const files = disk();
  const outbox = open(new MemoryJournal(), files);
  files.setCapacity(0);
  assert.doesNotThrow(() => outbox.close());
});

test('a batch that is built waits with publishes that wait for the card, but not for good', async () => {
  class SlowJournal extends MemoryJournal {
    waiting = 0;
    override get lastLsn(): number {
      return super.lastLsn + this.waiting;
    }
  }
  const journal = new SlowJournal();
  journal.append(...stampedOps(1, 600));
  let pauses = 0;
  const timers: Timers = {
    ...machineTimers,
    after: (delayMs, callback) => {
      pauses += 1;
      return machineTimers.after(delayMs, callback);
    },
  };
  const outbox = open(journal, disk(), { opsMax: 300 }, timers);
  assert.equal((await outbox.seal(TELEMETRY))?.manifest.ops, 300);
  assert.equal(pauses, 0, 'nobody waits');
  journal.waiting = 1;
  assert.equal((await outbox.seal(TELEMETRY))?.manifest.ops, 300, 'though the card never answers');
  assert.ok(pauses > 0);
});

test('only receipts move the line, in whatever order they come', async () => {
  const journal = new MemoryJournal();
  journal.append(...stampedOps(1, 30));
  const outbox = open(journal, disk());
  const batches = [
    await outbox.seal(TELEMETRY),
    await outbox.seal(TELEMETRY),
    await outbox.seal(TELEMETRY),
  ];
  const [first, second, third] = batches.map((batch) => batch?.id);
  assert.ok(first && second && third);
  assert.equal(outbox.receiptedLsn, 0);
  outbox.receipted(second);
  assert.equal(outbox.receiptedLsn, 0);
  assert.equal(outbox.backlog()[TELEMETRY].ops, 20);
  outbox.receipted(first);
  assert.equal(outbox.receiptedLsn, 20);
  outbox.receipted(third);
  assert.equal(outbox.receiptedLsn, 30);
  journal.appendLocal();
  outbox.unsealed.scan();
  assert.equal(outbox.receiptedLsn, 31, 'what never travels holds nothing up');
});

test('the log waits for company without holding up the line of the data', async () => {
  const journal = new MemoryJournal();
  journal.append(...stampedOps(1, 1, { class: LOG }), ...stampedOps(1, 10));
  const outbox = open(journal, disk());
  const batch = await outbox.seal(TELEMETRY);
  assert.ok(batch);
  outbox.receipted(batch.id);
  assert.equal(outbox.dataReceiptedLsn, 11);
  assert.equal(outbox.receiptedLsn, 0, 'the journal keeps the log until it has its receipt too');
});

test('a restart goes on with the same batches, and knows what was receipted', async () => {
  const journal = new MemoryJournal();
  const files = disk();
  journal.append(...stampedOps(1, 35));
  let outbox = open(journal, files);
  const ids = [];
  for (let i = 0; i < 4; i++) ids.push((await outbox.seal(TELEMETRY))?.id);
  outbox.receipted(ids[0] ?? assert.fail());
  outbox.receipted(ids[2] ?? assert.fail());
  outbox = open(journal, files);
  assert.deepEqual(
    outbox.sendable().map(({ id }) => id),
    [ids[1], ids[3]],
  );
  assert.equal(outbox.receiptedLsn, 10);
  assert.equal(outbox.backlog()[TELEMETRY].ops, 15);
  journal.append(stampedOp(36));
  outbox.unsealed.scan();
  const next = await outbox.seal(TELEMETRY);
  assert.equal(next?.manifest.previous, ids[3]);
  assert.equal(next?.manifest.fromLsn, 36);
});

test('a spool that is full seals no more until a receipt makes room', async () => {
  const journal = new MemoryJournal();
  journal.append(...stampedOps(1, 100));
  const outbox = open(journal, disk(), { spoolBytesMax: 1_000 });
  const ids = [];
  while (outbox.sealableClasses().length > 0) ids.push((await outbox.seal(TELEMETRY))?.id);
  assert.ok(ids.length > 0 && ids.length < 10);
  for (const id of ids) outbox.receipted(id ?? assert.fail());
  assert.deepEqual(outbox.sealableClasses(), [TELEMETRY]);
});

test('refused batches wait, others pass, and the line stays below them', async () => {
  const journal = new MemoryJournal();
  journal.append(...stampedOps(1, 20));
  const outbox = open(journal, disk());
  const first = await outbox.seal(TELEMETRY);
  const second = await outbox.seal(TELEMETRY);
  assert.ok(first && second);
  outbox.refused(first.id, 'a test');
  assert.deepEqual(
    outbox.sendable().map(({ id }) => id),
    [second.id],
  );
  outbox.receipted(second.id);
  assert.equal(outbox.receiptedLsn, 0);
  assert.equal(outbox.backlog()[TELEMETRY].ops, 10);
  outbox.retryRefused();
  assert.deepEqual(
    outbox.sendable().map(({ id }) => id),
    [first.id],
  );
});

test('what is no batch of ours is removed from the spool', async () => {
  const journal = new MemoryJournal();
  const files = disk();
  journal.append(...stampedOps(1, 5));
  const outbox = open(journal, files);
  await outbox.seal(TELEMETRY);
  assert.equal(files.list('uplink/spool').length, 1);
  files.replace('uplink/spool/readme.txt', new Uint8Array(3));
  const again = open(journal, files);
  assert.equal(again.sendable().length, 1);
  assert.equal(files.list('uplink/spool').length, 1, 'what is no batch is removed');
});

test('what a power cut brings back of a receipted batch is no damage; what it takes of another is', async () => {
  const journal = new MemoryJournal();
  const files = disk();
  journal.append(...stampedOps(1, 40));
  const outbox = open(journal, files);
  const batches = [];
  for (let i = 0; i < 4; i++) batches.push((await outbox.seal(TELEMETRY)) ?? assert.fail());
  const names = files.list('uplink/spool').toSorted();
  const whole = files.read(`uplink/spool/${names[2]}`) ?? assert.fail();
  for (const index of [0, 2]) outbox.receipted(batches[index]?.id ?? assert.fail());
  files.replace(`uplink/spool/${names[2]}`, whole);
  const torn = [0, 3].map((index) => names[index] ?? assert.fail());
  for (const name of torn) files.replace(`uplink/spool/${name}`, new Uint8Array(9));
  const log = new KeptLog();
  const again = openUncounted(journal, files, {}, machineTimers, undefined, log);
  assert.deepEqual(log.lines, [{ event: 'uplink.spool.damaged', fields: { files: [names[3]] } }]);
  assert.deepEqual(
    again.sendable().map(({ id }) => id),
    [batches[1]?.id],
  );
  assert.deepEqual(files.list('uplink/spool'), [names[1]]);
});

const anyStory = fc.array(
  fc.oneof(
    fc.record({
      do: fc.constant('append' as const),
      class: fc.integer({ min: 0, max: 6 }) as fc.Arbitrary<OpClass>,
      ops: fc.integer({ min: 1, max: 25 }),
    }),
    fc.record({
      do: fc.constantFrom('seal' as const),
      class: fc.integer({ min: 0, max: 6 }) as fc.Arbitrary<OpClass>,
    }),
    fc.record({ do: fc.constant('receipt' as const), pick: fc.nat(5) }),
    fc.record({ do: fc.constant('refuse' as const), pick: fc.nat(5) }),
    fc.record({ do: fc.constant('restart' as const) }),
    fc.record({ do: fc.constant('local' as const) }),
    fc.record({ do: fc.constant('retry' as const) }),
  ),
  { maxLength: 40 },
);

test('whatever happens, backlog, spool and line agree with what was appended and receipted', async () => {
  await fc.assert(
    fc.asyncProperty(anyStory, async (story) => {
      const journal = new MemoryJournal();
      const files = disk();
      let outbox = open(journal, files);
      const lsnsByClass = new Map<OpClass, number[]>(CLASSES.map((each) => [each, []]));
      const receipted = new Map<OpClass, Set<number>>(CLASSES.map((each) => [each, new Set()]));
      for (const act of story) {
        if (act.do === 'append') {
          const lsns = lsnsByClass.get(act.class) ?? [];
          for (let i = 0; i < act.ops; i++) {
            journal.append(stampedOp(lsns.length + 1, { class: act.class }));
            lsns.push(journal.lastLsn);
          }
        } else if (act.do === 'seal') await outbox.seal(act.class);
        else if (act.do === 'local') journal.appendLocal();
        else if (act.do === 'restart') outbox = open(journal, files);
        else if (act.do === 'retry') outbox.retryRefused();
        else {
          const batch = outbox.sendable()[act.pick];
          if (batch === undefined) continue;
          if (act.do === 'refuse') outbox.refused(batch.id, 'a test');
          else {
            const { class: opClass, fromLsn, throughLsn } = batch.manifest;
            const covered = (lsnsByClass.get(opClass) ?? []).filter(
              (l) => l >= fromLsn && l <= throughLsn,
            );
            assert.equal(
              covered.length,
              batch.manifest.ops,
              'a stretch holds all ops of its class',
            );
            for (const lsn of covered) receipted.get(opClass)?.add(lsn);
            outbox.receipted(batch.id);
          }
        }
        while (outbox.unsealed.scan());
        const backlog = outbox.backlog();
        for (const opClass of CLASSES) {
          const waiting = (lsnsByClass.get(opClass) ?? []).filter(
            (l) => !receipted.get(opClass)?.has(l),
          );
          assert.equal(backlog[opClass].ops, waiting.length);
          const [oldest] = waiting;
          if (oldest !== undefined)
            assert.ok(outbox.receiptedLsn < oldest, 'nothing is let go early');
        }
      }
    }),
    { numRuns: 150 },
  );
});

test('leaves of what is given up are lacking at the region, and of nothing else', async () => {
  const journal = new MemoryJournal();
  journal.append(stampedOp(1, { class: BULK }), stampedOp(1));
  const history = { witnessedSize: () => 0, leaves: () => utf8('leaves') };
  const outbox = open(journal, disk(), {}, machineTimers, history as unknown as HistoryLog);
  await outbox.giveUp([BULK], 2, () => true);
  assert.deepEqual(outbox.lacking.next(BULK, 1), utf8('leaves'));
  assert.equal(outbox.lacking.next(TELEMETRY, 1), undefined);
});

test('bulk that is given up is in no batch; the next one spans it, and so it is after a restart', async () => {
  const journal = new MemoryJournal();
  const files = disk();
  const pairs = [1, 2, 3, 4, 5, 6].flatMap((seq) => [
    stampedOp(seq, { class: BULK }),
    stampedOp(seq),
  ]);
  journal.append(...pairs);
  const outbox = open(journal, files, { opsMax: 2 });
  const early = await outbox.seal(BULK);
  assert.ok(early);
  assert.deepEqual([early.manifest.fromLsn, early.manifest.throughLsn], [1, 3]);
  for (let batch = await outbox.seal(TELEMETRY); batch !== undefined;) {
    outbox.receipted(batch.id);
    batch = await outbox.seal(TELEMETRY);
  }
  assert.deepEqual([outbox.receiptedLsn, outbox.receiptedLsnBut([BULK])], [0, 12]);

  assert.equal(await outbox.giveUp([BULK], 8, () => false), undefined);
  assert.equal(outbox.unsealedOps(BULK), 4);
  const given = await outbox.giveUp([BULK], 8, () => {
    journal.firstLsn = 9;
    return true;
  });
  assert.equal(given?.ops, 2);
  assert.equal(outbox.unsealedOps(BULK), 2);

  const again = open(journal, files, { opsMax: 2 });
  assert.equal(again.unsealedOps(BULK), 2);
  for (const one of [outbox, again]) {
    const late = await one.seal(BULK);
    const { fromLsn, throughLsn, ops, previous } = late?.manifest ?? {};
    assert.deepEqual({ fromLsn, throughLsn, ops }, { fromLsn: 4, throughLsn: 11, ops: 2 });
    assert.equal(previous, early.id);
    for (const { id } of one.sendable()) one.receipted(id);
    assert.equal(one.receiptedLsn, 12);
  }
});

test('a disk that takes no batch is a fault until it takes one again', async () => {
  const journal = new MemoryJournal();
  journal.append(...stampedOps(1, 10));
  const files = disk();
  const outbox = open(journal, files);
  const fault = (): string | undefined => outbox.fault?.code;
  assert.equal(fault(), undefined);
  files.faults.failWrites = new Map([[files.writes + 1, 'ENOSPC']]);
  await assert.rejects(outbox.seal(TELEMETRY), { code: 'ENOSPC' });
  assert.equal(fault(), 'uplink.failed');
  assert.equal((await outbox.seal(TELEMETRY))?.manifest.ops, 10);
  assert.equal(fault(), undefined);
});
