/** The ledger over a journal: it follows, it survives every crash, the journal may let go of what it has. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { bytesEqual, utf8 } from '../../../src/base/bytes.ts';
import { createLog } from '../../../src/base/log.ts';
import { Identity, verifyEd25519 } from '../../../src/keys/identity.ts';
import { Ledger } from '../../../src/ledger/ledger.ts';
import { leafOf } from '../../../src/ledger/leaf.ts';
import { checkpointBody, cosign, logName, parseCheckpoint } from '../../../src/ledger/note.ts';
import { verifyProof } from '../../../src/ledger/proof-file.ts';
import { verifySince } from '../../../src/ledger/since-file.ts';
import { decodeEntry, encodeLocalEntry, encodeOpEntry } from '../../../src/model/entry.ts';
import type { Origin } from '../../../src/model/origin.ts';
import { Rig } from '../../fault/journal-rig.ts';
import { stampedOp } from '../../support/made/ops.ts';
import { treeRoot } from '../../support/made/tree-root.ts';

const hub = Identity.fromSeed(new Uint8Array(32).fill(1));
const region = Identity.fromSeed(new Uint8Array(32).fill(2));
const DIR = '/ledger';
const HOUR_MS = 3_600_000;

/** A journal that holds ops of two classes and local entries, and what of it is a leaf. */
class Site {
  readonly rig = new Rig(1, { totalBytesMax: 1 << 22 }, 'sealed');
  readonly leaves: Uint8Array[][] = [[], [], [], [], [], [], []];
  readonly entries: Uint8Array[] = [];
  readonly logged: string[] = [];

  ledger(): Ledger {
    const { files, clock } = this.rig;
    const log = createLog(clock, 'warn', (line) => this.logged.push(line));
    return Ledger.open({
      journal: this.rig.journal,
      files,
      log,
      dir: DIR,
      hub: hub.id,
      signer: hub,
      verify: verifyEd25519,
      timers: this.rig.timers,
      onFatal: (error) => {
        throw error;
      },
    });
  }

  async accept(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const seq = this.entries.length + 1;
      const opClass = seq % 5 === 0 ? 0 : 3;
      const { bytes, stamp } = stampedOp({ class: opClass, seq, body: utf8(`{"w":${seq}}`) });
      const isLocal = seq % 7 === 0;
      const entry = isLocal ? encodeLocalEntry(Uint8Array.of(0xa0)) : encodeOpEntry(bytes, stamp);
      if (!isLocal) this.leaves[opClass]?.push(bytes);
      this.entries.push(entry);
      this.rig.appended.set(seq, entry);
      assert.equal(this.rig.journal.append(entry, 0), seq);
      if (i % 20 === 19) await this.rig.settle();
    }
    await this.rig.settle();
  }

  check(ledger: Ledger): void {
    for (const opClass of [0, 3] as const) {
      const leaves = this.leaves[opClass] ?? [];
      const { size, root } = ledger.head(opClass);
      assert.equal(size, leaves.length);
      assert.ok(bytesEqual(root, treeRoot(leaves)));
    }
  }
}

test('every op of a class is a leaf, in the order of the journal; local entries are none', async () => {
  const site = new Site();
  await site.rig.open();
  const ledger = site.ledger();
  await site.accept(40);
  await site.rig.settle(500);
  assert.equal(ledger.throughLsn, 40);
  site.check(ledger);
  const checkpoint = parseCheckpoint(ledger.checkpoint(3));
  assert.equal(checkpoint?.origin, `heliograph/${hub.id}/telemetry`);
  assert.equal(checkpoint.size, site.leaves[3]?.length);
});

test('proofs: of every op, against the key alone; of none that is not there', async () => {
  const site = new Site();
  await site.rig.open();
  const ledger = site.ledger();
  await site.accept(60);
  await site.rig.settle(500);
  for (let lsn = 1; lsn <= 60; lsn++) {
    const text = ledger.prove(lsn);
    if (lsn % 7 === 0) assert.equal(text, undefined, 'a local entry');
    else {
      const outcome = verifyProof(text ?? '', hub.publicKey, verifyEd25519);
      assert.ok(outcome.kind === 'proven' && outcome.op.seq === lsn);
    }
  }
  assert.equal(ledger.prove(61), undefined);
});

test('the journal lets go of what was flushed, and the next start still has every hash', async () => {
  const site = new Site();
  await site.rig.open();
  let ledger = site.ledger();
  await site.accept(400);
  await site.rig.settle(500);
  const before = ledger.head(3);
  const flushed = await ledger.flush();
  assert.equal(flushed, 400);
  site.rig.release(flushed);
  await site.accept(100);
  await site.rig.settle(500);
  site.rig.end('power-cut');
  await site.rig.open();
  assert.ok(site.rig.journal.firstLsn > 1);
  ledger = site.ledger();
  await site.rig.settle(500);
  site.check(ledger);
  assert.deepEqual(ledger.head(3, before.size), before, 'the past is as it was');
  assert.ok(ledger.head(3).size > before.size);
});

test('a crash after every operation of flushes: the trees grow on over the same entries', async () => {
  const life = async (site: Site): Promise<void> => {
    await site.rig.open();
    const ledger = site.ledger();
    for (let round = 0; round < 3; round++) {
      await site.accept(150);
      await site.rig.settle(500);
      const flushed = ledger.flush();
      flushed.catch(() => undefined); // Of a process that died meanwhile.
      await site.rig.settle(20);
      site.rig.release(await flushed);
      await site.rig.settle(50);
    }
  };
  const whole = new Site();
  await life(whole);
  const total = whole.rig.files.operations;
  for (let at = 60; at <= total; at += 7) {
    const site = new Site();
    site.rig.files.faults.crashAfter = at;
    await site.rig.crashes(() => life(site));
    site.rig.end(at % 2 === 0 ? 'kill' : 'power-cut');
    site.rig.files.faults.crashAfter = undefined;
    await site.rig.open();
    const ledger = site.ledger();
    await site.rig.settle(500);
    const { lastLsn } = site.rig.journal;
    const kept = site.entries.slice(0, lastLsn).flatMap((entry) => {
      const leaf = leafOf(entry);
      return leaf?.class === 3 ? [leaf.op] : [];
    });
    assert.deepEqual(ledger.head(3), { size: kept.length, root: treeRoot(kept) }, `crash at ${at}`);
    await ledger.close();
  }
});

test('a disk that refuses is told, and what it refused is written the next time', async () => {
  const site = new Site();
  await site.rig.open();
  const ledger = site.ledger();
  await site.accept(10);
  await site.rig.settle(500);
  await ledger.flush();
  const { size, root } = ledger.head(3);
  const cosignature = cosign(checkpointBody(logName(hub.id, 3), { size, root }), 1, region);
  assert.ok(ledger.witnessed(3, { size, root, cosignature }, region.publicKey));
  const { files } = site.rig;
  const { writes } = files;
  files.faults.failWrites = new Map([1, 2, 3].map((later) => [writes + later, 'ENOSPC']));
  for (let hour = 0; hour < 3; hour++) await site.rig.settle(HOUR_MS);
  assert.ok(files.writes >= writes + 2, 'it was tried again');
  assert.equal(site.logged.length, 1, 'it is said once');
  assert.match(site.logged[0] ?? '', /"ledger.flush-failed".*ENOSPC/);
  await ledger.close();
  assert.equal(site.ledger().cosigned(3), ledger.cosigned(3));
  assert.equal(site.logged.length, 1);
});

test('one copy of the state may be damaged; with both gone the ledger begins anew', async () => {
  const site = new Site();
  await site.rig.open();
  let ledger = site.ledger();
  await site.accept(300);
  await site.rig.settle(500);
  await ledger.close();
  const path = `${DIR}/state`;
  const bytes = site.rig.files.read(path) as Uint8Array;
  site.rig.files.flipBit(path, 40, 1);
  ledger = site.ledger();
  assert.equal(ledger.throughLsn, 300);
  site.check(ledger);
  await ledger.close();
  site.rig.files.flipBit(path, Math.floor(bytes.length / 2) + 40, 1);
  ledger = site.ledger();
  assert.equal(ledger.throughLsn, 0);
  await site.rig.settle(500);
  site.check(ledger);
});

test('what is cut from an entry is what decoding gives, in the usual form and in others', () => {
  for (const rosterEpoch of [0, 3, 23, 24, 300]) {
    const { bytes, stamp } = stampedOp({ class: 2, key: 'k'.repeat(rosterEpoch + 1) });
    const entry = encodeOpEntry(bytes, { ...stamp, rosterEpoch });
    const decoded = decodeEntry(entry);
    assert.ok(decoded.type === 'op');
    assert.deepEqual(leafOf(entry), { class: 2, op: decoded.stamped.bytes });
  }
  // From behind, this stamp looks like a shorter one, but for what would be its authority.
  const { bytes, stamp } = stampedOp({ class: 2 });
  const accepting = '8448000000000000' as Origin;
  const alike = { hub: accepting, hlc: { ms: 0x0148_0000_0000, counter: 0 } };
  const entry = encodeOpEntry(bytes, { ...stamp, ...alike, rosterEpoch: 0x1801 });
  assert.deepEqual(leafOf(entry), { class: 2, op: bytes });
  assert.equal(leafOf(encodeLocalEntry(Uint8Array.of(1))), undefined);
  assert.throws(() => leafOf(Uint8Array.of(0x83, 0, 0x88)));
});

test('consistency between checkpoints of one ledger can be shown', async () => {
  const site = new Site();
  await site.rig.open();
  const ledger = site.ledger();
  await site.accept(100);
  await site.rig.settle(500);
  const old = ledger.checkpoint(3);
  const { size } = ledger.head(3);
  await site.accept(100);
  await site.rig.settle(500);
  const grown = ledger.head(3);
  for (const until of [size, size + 1, undefined]) {
    const text = ledger.since(3, size, until) as string;
    const outcome = verifySince(text, old, hub.publicKey, verifyEd25519);
    assert.ok(outcome.kind === 'proven', text);
    assert.equal(outcome.head.size, until ?? grown.size);
  }
  assert.equal(ledger.since(3, size, grown.size + 1), undefined);
  assert.equal(ledger.since(3, size, size - 1), undefined);
  assert.equal(ledger.since(3, grown.size + 1), undefined);
});

test('what others offer becomes a leaf where it is next; without offers the ledger reads for itself', async () => {
  const site = new Site();
  await site.rig.open();
  const ledger = site.ledger();
  await site.accept(10);
  ledger.offer(2, site.entries[1] as Uint8Array);
  assert.equal(ledger.throughLsn, 0, 'the first is missing');
  for (let lsn = 1; lsn <= 6; lsn++) ledger.offer(lsn, site.entries[lsn - 1] as Uint8Array);
  ledger.offer(3, site.entries[2] as Uint8Array);
  assert.equal(ledger.throughLsn, 6);
  await site.rig.settle(200);
  assert.equal(ledger.throughLsn, 6, 'who offers sets the pace');
  await site.rig.settle(2_000);
  assert.equal(ledger.throughLsn, 6, 'and may pause to write');
  await site.rig.settle(2_000);
  assert.equal(ledger.throughLsn, 10);
  site.check(ledger);
  await ledger.close();
});

test('while the card writes tiles, what gathers beside is left for the next writing', async () => {
  const site = new Site();
  await site.rig.open();
  const ledger = site.ledger();
  const { files } = site.rig;
  const rename = files.rename.bind(files);
  let states = 0;
  files.rename = (from, to) => {
    if (to === `${DIR}/state`) states += 1;
    rename(from, to);
  };
  let lsn = 0;
  const offer = (count: number): void => {
    for (const until = lsn + count; lsn < until;) {
      lsn += 1;
      const { bytes, stamp } = stampedOp({ class: 3, seq: lsn });
      ledger.offer(lsn, encodeOpEntry(bytes, stamp));
    }
  };
  offer(65_536); // As many as are let gather.
  await Promise.resolve();
  offer(16_384);
  for (let turn = 0; turn < 50; turn++) {
    await site.rig.settle(5);
    offer(10);
  }
  assert.equal(states, 1);
});
