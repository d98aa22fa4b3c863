/**
 * A site of many devices, two hubs and a region in one seed: devices edit records, counters and documents and take steps
 * back, knowing only what reached them; ops reach each store in parts, in any order, repeatedly, some through both
 * hubs with two stamps; stores are closed and opened in between. In the end each has everything.
 */
import assert from 'node:assert/strict';

import * as Y from 'yjs';

import { hexOf } from '../../../src/base/bytes.ts';
import { below } from '../../../src/base/random.ts';
import { digestOf } from '../../../src/merge/state/digest.ts';
import { fold } from '../../../src/merge/fold.ts';
import { MemoryState } from '../../../src/merge/state/memory-state.ts';
import { encodeAdd, encodePatch, encodeUndo } from '../../../src/merge/patch.ts';
import {
  ADD,
  compareStamps,
  DOC,
  type Kind,
  PATCH,
  type StampedOp,
  UNDO,
} from '../../../src/model/op.ts';
import type { Origin } from '../../../src/model/origin.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import type { Store } from '../../../src/store/store.ts';
import { sha256Hasher } from '../../../src/store/sha256-hasher.ts';
import { stampedOp } from '../made/ops.ts';
import { entriesOf, openStore } from '../memory/stores.ts';
import { tempDir } from '../machine/temp-dir.ts';

export interface FleetSize {
  readonly devices: number;
  readonly ops: number;
  readonly seed: number;
}

interface Device {
  readonly origin: Origin;
  readonly doc: Y.Doc;
  seq: number;
  /** Its last op on a record, which it may take back. */
  last: StampedOp | undefined;
}

const HUBS = ['1111111111111111' as Origin, '2222222222222222' as Origin] as const;
/** A record for so many ops: a field that hundreds have written blindly costs much to look at for conflicts. */
const OPS_PER_RECORD = 25;
const DOCS = 4;
const ORDER = 'order/';

/** Runs the site; throws where replicas differ, or an increment was lost or counted twice. */
export function runFleet({ devices: count, ops: total, seed }: FleetSize): void {
  const random = new SeededRandom(seed);
  const dice = (limit: number): number => below(random, limit);
  const devices = Array.from({ length: count }, (_, index): Device => {
    const doc = new Y.Doc();
    doc.clientID = index + 1;
    return {
      origin: (index + 1).toString(16).padStart(16, '0') as Origin,
      doc,
      seq: 0,
      last: undefined,
    };
  });
  const made: StampedOp[] = [];
  const sums = new Map<string, bigint>();
  for (let at = 0; at < total; at++) {
    const device = devices[dice(count)] as Device;
    const op = nextOp(device, dice, at, Math.ceil(total / OPS_PER_RECORD));
    made.push(op);
    if (op.op.kind === ADD) sums.set(op.op.key, (sums.get(op.op.key) ?? 0n) + 1n);
    const other = devices[dice(count)] as Device;
    if (dice(20) === 0) Y.applyUpdate(device.doc, Y.encodeStateAsUpdate(other.doc), 'met');
  }
  const again = made.filter(() => dice(10) === 0).map((op) => otherStamp(op, dice));
  const expected = digestOfAll([...made, ...again]);
  for (let replica = 0; replica < 3; replica++) {
    const store = deliver([...made, ...again], dice);
    assert.equal(store.digest().digest, expected, `seed ${seed}, replica ${replica}`);
    assert.equal(store.digest().ops, total);
    for (const [key, sum] of sums) {
      assert.equal(store.records.get(key).counters.get('n')?.total, sum, `seed ${seed}, ${key}`);
    }
    store.close();
  }
}

function nextOp(
  device: Device,
  dice: (limit: number) => number,
  at: number,
  records: number,
): StampedOp {
  const parts = (kind: Kind, key: string, body: Uint8Array): StampedOp =>
    stampedOp({
      origin: device.origin,
      class: 2,
      seq: (device.seq += 1),
      // Clocks of devices differ by a minute, some by years.
      atMs: 1_000_000 + at * 10 + dice(60_000) + (dice(50) === 0 ? 10 ** 11 : 0),
      stampMs: 1_060_000 + at * 10,
      hub: HUBS[dice(2)] as Origin,
      authority: 1 + dice(4),
      kind,
      key,
      body,
    });
  const what = dice(10);
  if (what < 3) return parts(ADD, `count/${dice(records)}`, encodeAdd({ n: 1 }));
  if (what < 5) return parts(DOC, `doc/${dice(DOCS)}`, typed(device.doc, dice));
  if (what === 5 && device.last !== undefined) {
    const { op } = device.last;
    device.last = undefined;
    return parts(UNDO, op.key, encodeUndo([op]));
  }
  const fields = { [`f${dice(4)}`]: at, state: dice(5) };
  device.last = parts(PATCH, `${ORDER}${dice(records)}`, encodePatch(fields));
  return device.last;
}

/** What the device's document says about one edit in it. */
function typed(doc: Y.Doc, dice: (limit: number) => number): Uint8Array {
  const before = Y.encodeStateVector(doc);
  const text = doc.getText('t');
  text.insert(dice(text.length + 1), `${dice(1000)} `);
  if (text.length > 200) text.delete(dice(100), 50);
  return Y.encodeStateAsUpdate(doc, before);
}

/** The same op as the other hub has accepted it: only of records, and not of increments, whose stamp nobody sees. */
function otherStamp(stamped: StampedOp, dice: (limit: number) => number): StampedOp {
  if (stamped.op.kind === DOC) return stamped;
  const { hub, hlc, rosterEpoch } = stamped.stamp;
  const ms = Math.max(0, hlc.ms + dice(2000) - 1000);
  const other = HUBS.find((each) => each !== hub) as Origin;
  return {
    ...stamped,
    stamp: { hub: other, hlc: { ms, counter: 0 }, authority: 1 + dice(4), rosterEpoch },
  };
}

/** By the definition: each op once, with the smallest of its stamps. */
function digestOfAll(ops: readonly StampedOp[]): string {
  const byName = new Map<string, StampedOp>();
  for (const each of ops) {
    const name = `${each.op.origin}/${each.op.seq}`;
    const known = byName.get(name);
    if (known === undefined || compareStamps(each.stamp, known.stamp) < 0) byName.set(name, each);
  }
  const state = new MemoryState();
  for (const each of byName.values()) fold(state, each);
  return hexOf(digestOf(state, sha256Hasher()).digest);
}

/** A store that got all of it in parts, some twice, and was opened anew now and then. */
function deliver(ops: readonly StampedOp[], dice: (limit: number) => number): Store {
  const dir = tempDir();
  const order = ops.map((op) => ({ op, at: dice(1 << 30) })).toSorted((a, b) => a.at - b.at);
  let store = openStore(dir);
  let lsn = 1;
  for (let from = 0; from < order.length;) {
    const to = from + 1 + dice(400);
    const part = order.slice(from, to).map(({ op }) => op);
    store.stage(entriesOf(part, lsn), lsn + part.length);
    lsn += part.length;
    // After a crash, what was not committed comes again; sometimes more than that.
    if (dice(20) === 0) {
      store.commit();
      store.close();
      store = openStore(dir);
      from = Math.max(0, to - dice(800));
    } else from = to;
  }
  store.commit();
  return store;
}
