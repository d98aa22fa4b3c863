/** What a device pulls: catching up, following, breaking off, lying. */
import assert from 'node:assert/strict';

import { afterEach, beforeEach, describe, it } from 'vitest';
import * as Y from 'yjs';

import { utf8 } from '../../../src/base/bytes.ts';
import { CborWriter } from '../../../src/codec/writer.ts';
import { encodeStampsEntry } from '../../../src/merge/op-stamps.ts';
import { encodeUndo } from '../../../src/merge/patch.ts';
import { encodeStateEntry } from '../../../src/merge/state/state-entry.ts';
import { writeStateItem } from '../../../src/merge/state/state-item.ts';
import { TELEMETRY } from '../../../src/model/class.ts';
import { encodeHeldEntry } from '../../../src/model/held.ts';
import { laneOf, type Origin } from '../../../src/model/origin.ts';
import { DOC, type StampedOp, UNDO } from '../../../src/model/op.ts';
import { PAGE_BYTES } from '../../../src/protocol/limits.ts';
import { encodePull } from '../../../src/protocol/pull-message.ts';
import { SESSIONS_MAX, SILENT_MS_MAX } from '../../../src/sync/pull-door.ts';
import { DEVICE_A, DEVICE_B, HUB, patchOp, stampedOp } from '../../support/made/ops.ts';
import { PullingDevice, PullSite } from '../../support/simulated/pull-site.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

let site: PullSite;

beforeEach(() => {
  site = new PullSite(tempDir());
});

afterEach(() => site.close());

function records(count: number, origin: Origin = DEVICE_A): StampedOp[] {
  return Array.from({ length: count }, (_, index) =>
    patchOp(
      { state: 'open', n: index },
      { origin, seq: index + 1, key: `orders/${String(index).padStart(5, '0')}` },
    ),
  );
}

function events(count: number, key = 'meters/1', firstSeq = 1): StampedOp[] {
  return Array.from({ length: count }, (_, index) =>
    stampedOp({ key, seq: firstSeq + index, atMs: 1000 + index, body: utf8(`${index}`) }),
  );
}

describe('catching up', () => {
  it('brings the whole state in pages, and no more than the credit at once', async () => {
    site.take([...records(2_000), ...events(500, 'meters/1')]);
    const device = new PullingDevice(site, 'tablet');
    device.open({ credit: 2 });
    await site.settle();
    device.receive(false);
    assert.equal(device.pages.length, 2);
    await site.settle();
    device.receive(false);
    assert.equal(device.pages.length, 2);
    device.send(encodePull({ kind: 'taken', pull: 1, page: 2 }));
    await device.catchUp();
    assert.equal(device.digest(), site.store.digest().digest);
    assert.equal(device.pages.at(-1)?.stage, 'caught-up');
    assert.deepEqual(device.replica.vector, site.store.vector());
    assert.ok(device.pages.length > 2);
  });

  it('of a month takes the state, not its ops', async () => {
    site.take([...records(10), ...events(5_000)]);
    const device = new PullingDevice(site, 'tablet');
    device.open();
    await device.catchUp();
    site.take(events(30_000, 'meters/1', 5_001));
    device.open();
    const before = device.pages.length;
    await device.catchUp();
    const items = device.pages.slice(before).flatMap((page) => page.items);
    assert.equal(items.length, 1);
    assert.equal(device.digest(), site.store.digest().digest);
  });

  it('brings documents, whole to who begins, by their ops to who follows', async () => {
    const doc = new Y.Doc();
    const updates: Uint8Array[] = [];
    doc.on('update', (update) => updates.push(update));
    const text = doc.getText('notes');
    for (const word of ['pump ', 'leaks ', 'badly']) text.insert(text.length, word);
    const ops = updates.map((body, index) =>
      stampedOp({ kind: DOC, class: 2, key: 'notes/1', seq: index + 1, body }),
    );
    site.take(ops.slice(0, 2));
    const device = new PullingDevice(site, 'tablet');
    device.open();
    await device.catchUp();
    assert.equal(device.pages.flatMap((page) => page.items).length, 1);
    site.take(ops.slice(2));
    await device.catchUp();
    assert.equal(device.digest(), site.store.digest().digest);
    device.open();
    await device.catchUp();
    assert.equal(device.pages.at(-1)?.items.length, 0, 'nothing is told twice');
    const read = new Y.Doc();
    Y.applyUpdate(read, device.replica.docState('notes/1') ?? new Uint8Array(0));
    assert.equal(read.getText('notes').toJSON(), 'pump leaks badly');
  });

  it('goes on where it broke off', async () => {
    site.take(records(2_000));
    const device = new PullingDevice(site, 'tablet');
    device.open({ credit: 2 });
    await site.settle();
    device.receive(false);
    const itemsBefore = device.pages.flatMap((page) => page.items).length;
    // The connection is gone; meanwhile what was sent already changes.
    site.take([patchOp({ state: 'done' }, { origin: DEVICE_B, seq: 1, key: 'orders/00000' })]);
    device.open();
    await device.catchUp();
    const items = device.pages.flatMap((page) => page.items).length;
    assert.equal(items, 2_001);
    assert.ok(itemsBefore > 100);
    assert.equal(device.digest(), site.store.digest().digest);
  });

  it('gives what is in scope and may be read, and nothing else', async () => {
    site.take([...records(20), ...events(3), ...events(3, 'secret/1', 4)]);
    const scope = { prefixes: ['meters/', 'secret/'], keys: ['orders/00007'] };
    const mayRead = (key: string): boolean => !key.startsWith('secret');
    const device = new PullingDevice(site, 'tablet', scope, {
      role: 'device',
      mayRead,
      rights: () => [],
    });
    device.open();
    await device.catchUp();
    const { state } = device.replica;
    assert.deepEqual(
      [...state.events()].map(([key]) => key),
      ['meters/1'],
    );
    assert.deepEqual(
      [...state.fields()].map(([key]) => key),
      ['orders/00007', 'orders/00007'],
    );
    site.take([...events(1, 'secret/1', 7), ...events(1, 'meters/2', 8)]);
    await device.catchUp();
    assert.equal(state.event('secret/1'), undefined);
    assert.ok(state.event('meters/2'));
  });

  it('passes a page of a single large item', async () => {
    const body = new Uint8Array(200_000).fill(7);
    site.take([...records(5), stampedOp({ key: 'photo', body }), ...records(3, DEVICE_B)]);
    const device = new PullingDevice(site, 'tablet');
    device.open({ credit: 1 });
    await device.catchUp();
    assert.equal(device.digest(), site.store.digest().digest);
    assert.ok(device.pages.every((page) => page.items.length === 1 || page.items.length < 20));
    assert.ok(body.length > PAGE_BYTES);
  });
});

describe('following', () => {
  it('brings what comes, undo included', async () => {
    site.take(records(3));
    const device = new PullingDevice(site, 'tablet');
    device.open();
    await device.catchUp();
    const edit = patchOp(
      { state: 'done' },
      { origin: DEVICE_B, seq: 1, key: 'orders/00001', atMs: 2000 },
    );
    site.journalOps([edit]);
    await device.catchUp();
    assert.equal(device.pages.at(-1)?.stage, 'live');
    assert.equal(device.digest(), site.store.digest().digest);
    const target = { origin: DEVICE_B, class: 2, seq: 1 } as const;
    const undo = { kind: UNDO, class: 2, key: 'orders/00001', body: encodeUndo([target]) } as const;
    site.journalOps([stampedOp({ ...undo, origin: DEVICE_A, seq: 4, atMs: 3000 })]);
    await device.catchUp();
    assert.equal(device.digest(), site.store.digest().digest);
    assert.equal(device.replica.vector.get(laneOf(DEVICE_A, 2)), 4);
  });

  it('waits for a slow device without remembering anything, and brings all of it later', async () => {
    const device = new PullingDevice(site, 'tablet');
    device.open({ credit: 1 });
    await device.catchUp();
    for (let round = 0; round < 30; round++) {
      site.take(events(200, `meters/${round}`, 200 * round + 1));
      await site.settle();
    }
    device.receive(false);
    assert.equal(device.pages.at(-1)?.stage, 'live');
    const pagesBefore = device.pages.length;
    device.send(encodePull({ kind: 'taken', pull: 1, page: pagesBefore }));
    await device.catchUp();
    assert.equal(device.digest(), site.store.digest().digest);
  });

  it('is told of what another one was served before the word of it came', async () => {
    const [first, second] = [new PullingDevice(site, 'first'), new PullingDevice(site, 'second')];
    for (const device of [first, second]) {
      device.open();
      await device.catchUp();
    }
    let tellFolded: () => void = () => undefined;
    site.applying = new Promise((resolve) => {
      tellFolded = resolve;
    });
    site.take(records(3));
    // The first one says something, and so it is looked whether there is more for it.
    first.send(encodePull({ kind: 'taken', pull: 1, page: 1 }));
    await first.catchUp();
    tellFolded();
    await second.catchUp();
    assert.equal(first.digest(), site.store.digest().digest);
    assert.equal(second.digest(), site.store.digest().digest);
  });

  it('is told of what lies behind a gap that damage has left', async () => {
    const all = records(8);
    const [lost] = all.splice(2, 1);
    site.take(all.slice(0, 4));
    const device = new PullingDevice(site, 'tablet');
    device.open();
    await device.catchUp();
    site.take(all.slice(4));
    device.open();
    await device.catchUp();
    assert.equal(device.digest(), site.store.digest().digest);
    assert.equal(device.replica.vector.get(laneOf(DEVICE_A, 2)), 2);
    site.take([lost as StampedOp]);
    await device.catchUp();
    assert.equal(device.digest(), site.store.digest().digest);
  });

  it('that has what this hub lacks goes on behind it, in the state and in the tail', async () => {
    const [all, other] = [records(9), new PullSite(tempDir())];
    other.take(all.slice(0, 5));
    const device = new PullingDevice(other, 'tablet');
    device.open();
    await device.catchUp();
    other.close();
    // Here, somebody has handed in what comes behind.
    const lane = laneOf(DEVICE_A, 2);
    const here = new PullingDevice(site, 'tablet');
    here.replica = device.replica;
    site.take(all.slice(5, 7));
    here.open();
    await here.catchUp();
    assert.equal(here.replica.vector.get(lane), 7);
    site.take(all.slice(7));
    await here.catchUp();
    assert.equal(here.replica.vector.get(lane), 9);
    const before = here.pages.length;
    here.open();
    await here.catchUp();
    assert.deepEqual(
      here.pages.slice(before).flatMap(({ items }) => items),
      [],
      'nothing twice',
    );
    // Who has nothing is not told to have it.
    const newcomer = new PullingDevice(site, 'phone');
    newcomer.open();
    await newcomer.catchUp();
    assert.equal(newcomer.replica.vector.get(lane) ?? 0, 0);
    assert.equal(newcomer.digest(), site.store.digest().digest);
  });

  it('is not told to have what has healed meanwhile, and is under way', async () => {
    const all = records(601);
    const [lost] = all.splice(2, 1);
    const device = new PullingDevice(site, 'tablet');
    device.open({ credit: 1 });
    await device.catchUp();
    // All of it is folded before the first page leaves; what was lost comes last.
    site.take([...all, lost as StampedOp]);
    await site.settle();
    device.receive(false);
    // The connection is gone.
    device.open();
    await device.catchUp();
    assert.equal(device.digest(), site.store.digest().digest);
    assert.deepEqual(device.replica.vector, site.store.vector());
  });

  it('begins anew where the hub has taken over a state: what came there are no ops', async () => {
    const device = new PullingDevice(site, 'tablet');
    device.open();
    await device.catchUp();
    const order = {
      authority: 0,
      hlc: { ms: 5, counter: 0 },
      origin: DEVICE_B,
      seq: 9,
      class: TELEMETRY,
    } as const;
    const writer = new CborWriter(64);
    const write = { order, body: utf8('9') };
    writeStateItem(writer, { type: 'event', key: 'meters/9', write });
    site.journal.append(encodeStateEntry(writer.finish()), 0);
    const lanes = [{ lane: laneOf(DEVICE_B, TELEMETRY), upTo: 9, beyond: [] }];
    site.journal.append(encodeHeldEntry({ manifest: new Uint8Array(), lanes }), 0);
    site.take([stampedOp({ origin: DEVICE_B, key: 'meters/8', seq: 10, atMs: 6 })]);
    await device.catchUp();
    assert.equal(device.lapses.length, 1);
    assert.equal(device.replica.vector.size, 0, 'it is not told that it has the ninth');
    device.open();
    await device.catchUp();
    assert.equal(device.digest(), site.store.digest().digest);
    assert.deepEqual(device.replica.vector, site.store.vector());
  });

  it('is told of every op that one entry stamps anew, though they take several pages', async () => {
    const made = records(700);
    site.take(made);
    const device = new PullingDevice(site, 'tablet');
    device.open();
    await device.catchUp();
    const stamps = made.map(({ op }) => ({
      op: { origin: op.origin, class: op.class, seq: op.seq },
      authority: 3,
      hub: HUB,
      hlc: { ms: 999, counter: 0 },
    }));
    site.journal.append(encodeStampsEntry(stamps), 0);
    site.take([]);
    await device.catchUp();
    const ranks = made.map(({ op }) => device.replica.state.writes(op.key)[0]?.order.authority);
    assert.equal(ranks.filter((rank) => rank === 3).length, made.length);
  });

  it('lapses where the journal has let go of what comes next', async () => {
    const device = new PullingDevice(site, 'tablet');
    device.open({ credit: 1 });
    await device.catchUp();
    site.take(events(1));
    await site.settle();
    site.take(events(10_000, 'meters/2', 2));
    await site.settle();
    site.journal.release(9_900);
    device.receive(true);
    await device.catchUp();
    assert.match(device.lapses[0]?.reason ?? '', /too far behind/);
    device.open();
    await device.catchUp();
    assert.equal(device.digest(), site.store.digest().digest);
  });

  it('costs a device with 33 origins less than 1 KB of messages for one op', async () => {
    const origins = Array.from({ length: 33 }, (_, i) => (10 + i).toString(16).repeat(8) as Origin);
    site.take(origins.flatMap((origin) => records(3, origin)));
    const device = new PullingDevice(site, 'tablet');
    device.open();
    await device.catchUp();
    site.take([
      patchOp({ state: 'done' }, { origin: origins[4] as Origin, seq: 4, key: 'orders/1' }),
    ]);
    device.bytesSent = 0;
    device.open();
    await site.settle();
    const received = site.sent.get('sync/tablet/delta') ?? [];
    const bytesReceived = received.reduce((sum, { length }) => sum + length, 0);
    await device.catchUp();
    assert.equal(device.digest(), site.store.digest().digest);
    assert.ok(device.bytesSent + bytesReceived < 800, `${device.bytesSent} + ${bytesReceived}`);
  });
});

describe('a device', () => {
  it('that lies about its vector harms only itself', async () => {
    site.take(records(50));
    const liar = new PullingDevice(site, 'liar');
    const honest = new PullingDevice(site, 'honest');
    liar.open({ vector: new Map([[laneOf(DEVICE_A, 2), 9_999]]) });
    honest.open();
    await liar.catchUp();
    await honest.catchUp();
    assert.equal(liar.pages.flatMap((page) => page.items).length, 0);
    assert.equal(honest.digest(), site.store.digest().digest);
  });

  it('that sends junk is told so and costs nothing', () => {
    const device = new PullingDevice(site, 'tablet');
    for (const junk of [utf8('junk'), new Uint8Array(0), new Uint8Array(300_000)])
      device.send(junk);
    assert.equal(site.read('tablet').filter(({ kind }) => kind === 'lapse').length, 3);
    assert.equal(site.door.size, 0);
  });

  it('that invents a place to go on from gets something, and no harm is done', async () => {
    site.take(records(50));
    const device = new PullingDevice(site, 'tablet');
    device.open({ resume: utf8('nonsense') });
    await device.catchUp();
    assert.equal(device.digest(), site.store.digest().digest);
  });

  it('that falls silent is forgotten, and told when it speaks again', async () => {
    site.take(records(3));
    const device = new PullingDevice(site, 'tablet');
    device.open();
    await site.settle();
    await site.clock.advance(2 * SILENT_MS_MAX);
    assert.equal(site.door.size, 0);
    device.receive();
    await site.settle();
    device.receive();
    assert.equal(device.lapses[0]?.reason, 'no such pull');
  });

  it('waits where too many pull', () => {
    for (let i = 0; i < SESSIONS_MAX; i++) new PullingDevice(site, `d${i}`).open();
    const late = new PullingDevice(site, 'late');
    late.open();
    late.receive();
    assert.match(late.lapses[0]?.reason ?? '', /pulls are open/);
    assert.ok((late.lapses[0]?.waitS ?? 0) > 0);
  });
});
