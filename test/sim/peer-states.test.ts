/** A hub meets one that has let go of what it lacks: it takes over the state, whatever is killed meanwhile. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';

import { below } from '../../src/base/random.ts';
import { encodeAdd, encodePatch, encodeUndo } from '../../src/merge/patch.ts';
import { RECORD } from '../../src/model/class.ts';
import { ADD, type Op, PATCH, UNDO } from '../../src/model/op.ts';
import type { Origin } from '../../src/model/origin.ts';
import { PeerSite } from '../support/simulated/peer-site.ts';

const DEVICE = 'aaaaaaaaaaaaaaaa' as Origin;
const FROM = { role: 'technician', device: 'd' } as const;

function editOf(seq: number, nowMs: number): Op {
  const [kind, body] = [
    [PATCH, encodePatch({ [`f${seq % 3}`]: seq })],
    [ADD, encodeAdd({ n: seq })],
    [UNDO, encodeUndo([{ origin: DEVICE, class: RECORD, seq: Math.max(1, seq - 2) }])],
  ][seq % 3] as [Op['kind'], Uint8Array];
  const clock = { quality: 'rtc', bootId: 1, monotonicMs: seq } as const;
  const hlc = { ms: nowMs, counter: seq };
  return { origin: DEVICE, class: RECORD, seq, hlc, clock, kind, key: `o/${seq % 4}`, body };
}

/** Hub 0 has a history of which its journal keeps the end; hub 1 knows its beginning, and has ops of its own. */
async function siteWithHistory(seed: number): Promise<PeerSite> {
  const site = new PeerSite(seed, 3);
  const [old, young] = [site.hub(0), site.hub(1)];
  const edits: Op[] = [];
  const some = (count: number): void => {
    for (let i = 0; i < count; i++) {
      old.publish(`m/${i % 5}`, `${i}`);
      edits.push(editOf(edits.length + 1, site.clock.wallMs()));
    }
    old.accept(edits, FROM);
    old.sync();
  };
  young.dials(0);
  some(4);
  await someTime(site, 10);
  assert.equal(young.digest(), old.digest());
  site.setCut(0, 1, true);
  some(30);
  for (let i = 0; i < 5; i++) young.publish('m/young', `${i}`);
  young.sync();
  await old.release(old.journal.lastLsn - 12);
  some(4);
  return site;
}

async function someTime(site: PeerSite, turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    for (const hub of site.hubs) hub.sync();
    await site.clock.advance(1_000);
  }
}

function assertLevel(site: PeerSite, hubs: readonly number[]): void {
  const [first, ...others] = hubs.map((index) => site.hub(index).seen().vector());
  for (const vector of others) assert.deepEqual(vector, first);
  assert.equal(new Set(hubs.map((index) => site.hub(index).digest())).size, 1);
}

describe('a hub that was away longer than the journal of the other goes back', () => {
  test('takes over its state, and both go on', async () => {
    const site = await siteWithHistory(1);
    const [old, young] = [site.hub(0), site.hub(1)];
    const before = young.ops().length;
    site.setCut(0, 1, false);
    await someTime(site, 400);
    assertLevel(site, [0, 1]);
    assert.ok(young.ops().length < old.ops().length, 'not by ops');
    assert.ok(young.ops().length > before, 'what came after the state came by ops');
    assert.deepEqual(young.files.list('/hub/taken'), []);
    for (const hub of [old, young]) {
      assert.ok(hub.book?.status().every(({ stuckLanes }) => stuckLanes === 0));
    }

    // A third one finds the same state at the second, and after a restart nothing is thought to be missing.
    young.kill();
    young.start();
    assert.deepEqual(young.door.holes.list(), []);
    await young.release(young.journal.lastLsn - 1);
    site.hub(2).dials(1);
    await someTime(site, 100);
    old.publish('m/last', 'x');
    await someTime(site, 100);
    assertLevel(site, [0, 1, 2]);
  });

  test('passes nothing on as a hole: who meets it first gets the state as well', async () => {
    const site = await siteWithHistory(2);
    site.setCut(0, 1, false);
    await someTime(site, 400);
    // Nothing of it was released at hub 1, and yet it has no ops to give for what it took over.
    site.hub(2).dials(1);
    await someTime(site, 60);
    assert.deepEqual(site.hub(2).door.holes.list(), []);
    assert.ok(
      site
        .hub(1)
        .book?.status()
        .some(({ stuckLanes }) => stuckLanes > 0),
    );
    await site.hub(1).release(1);
    site.setCut(1, 2, true);
    site.setCut(1, 2, false);
    await someTime(site, 400);
    assertLevel(site, [0, 1, 2]);
  });

  test('wherever it is killed meanwhile', async () => {
    const steps = await runWithKill(undefined);
    assert.ok(steps > 10, `${steps} steps`);
    for (let kill = 0; kill < steps; kill += 6) await runWithKill(kill);
  });

  test('refuses what another hub has signed, and what was changed on its way', async () => {
    const site = await siteWithHistory(3);
    const { files } = site.hub(0);
    const [path] = ['/hub/state.snapshot'];
    const bytes = files.read(path)?.slice() ?? new Uint8Array();
    const damaged = bytes.slice();
    damaged[bytes.length >> 1] = (damaged[bytes.length >> 1] ?? 0) ^ 1;
    files.replace(path, damaged);
    site.setCut(0, 1, false);
    await someTime(site, 60);
    assert.notEqual(site.hub(1).digest(), site.hub(0).digest());
    assert.deepEqual(site.hub(1).files.list('/hub/taken'), [], 'what lied is not kept');
    files.replace(path, bytes);
    await someTime(site, 700);
    assertLevel(site, [0, 1]);
  });
});

/** Runs the take-over in short steps, with a kill of the young hub before one of them; how many steps it took. */
async function runWithKill(kill: number | undefined): Promise<number> {
  const site = await siteWithHistory(4);
  const young = site.hub(1);
  const { random } = site;
  site.setCut(0, 1, false);
  while (!young.files.exists('/hub/taken')) {
    for (const hub of site.hubs) hub.sync();
    await site.clock.advance(15);
  }
  let steps = 0;
  const isOver = (): boolean => young.digest() === site.hub(0).digest();
  for (; steps < 1_000; steps++) {
    if (steps === kill) {
      if (below(random, 2) === 0) young.sync();
      young.kill();
      young.start();
    }
    await site.clock.advance(15);
    site.hub(0).sync();
    if (random.fraction() < 0.7) young.sync();
    if (kill === undefined && isOver()) return steps;
    if (kill !== undefined && steps > kill) break;
  }
  for (let i = 0; i < 60 && !isOver(); i++) await someTime(site, 10);
  assertLevel(site, [0, 1]);
  return steps;
}
