/** What a regional node asks of its storage, of each one that there is. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';

import { afterAll, beforeAll, describe, test } from 'vitest';

import { textOf } from '../../src/base/bytes.ts';
import type { TreeHead } from '../../src/batch/manifest.ts';
import type { Hello } from '../../src/batch/wire/messages.ts';
import { refOf } from '../../src/batch/wire/short-chunk.ts';
import type { SealContext } from '../../src/batch/seal-batch.ts';
import { leafHash } from '../../src/ledger/merkle.ts';
import { TreeHasher } from '../../src/ledger/tree-hasher.ts';
import type { BatchId } from '../../src/batch/batch-id.ts';
import { TELEMETRY } from '../../src/model/class.ts';
import {
  batchOf,
  HUB,
  HUB_ID,
  identityOf,
  plainOp,
  SITE,
  stampedOp,
  stampedOps,
} from '../support/made/batches.ts';
import {
  chunksOf,
  placeOf,
  STORAGES,
  keepBatch,
  keepComplete,
  opened,
  putAll,
} from '../support/memory/site-storages.ts';

beforeAll(() => STORAGES.start());
afterAll(() => STORAGES.stop());

test.skipIf(STORAGES.hasPostgres)('PostgreSQL (skipped: needs postgres)', () => undefined);

describe.each(STORAGES.kinds)('site storage: %s', (_name, make) => {
  test('chunks come in any order and number; what is there is known after a restart', async () => {
    const place = await placeOf(await make());
    const batch = await batchOf(stampedOps(1, 200));
    const chunks = chunksOf(batch.bytes).toReversed();
    assert.ok(chunks.length > 2);
    for (const chunk of [...chunks.slice(1), ...chunks.slice(1)]) {
      const put = await place.site.put(HUB_ID, batch.id, chunk);
      assert.ok(put.kind === 'kept' && !put.isComplete);
    }
    const again = await place.reopen();
    assert.deepEqual((await again.site.have(HUB_ID, batch.id))?.missing(), [chunks.length - 1]);
    assert.deepEqual(await again.site.complete(), []);
    assert.equal(await again.site.claim(HUB_ID, batch.id), undefined);
    const put = await again.site.put(HUB_ID, batch.id, chunks[0] as (typeof chunks)[0]);
    assert.ok(put.kind === 'kept' && put.isComplete);
    assert.deepEqual(await again.site.complete(), [{ hub: HUB_ID, batch: batch.id }]);
    const claim = await again.site.claim(HUB_ID, batch.id);
    assert.deepEqual(claim?.bytes, batch.bytes);
    await claim?.release();
    await again.close();
  });

  test('of two layouts the newer counts; damaged chunks are dropped', async () => {
    const place = await placeOf(await make());
    const batch = await batchOf(stampedOps(1, 200));
    const [first] = chunksOf(batch.bytes, 80);
    assert.ok(first !== undefined);
    await place.site.put(HUB_ID, batch.id, first);
    const [other] = chunksOf(batch.bytes, 120);
    assert.ok(other !== undefined);
    const put = await place.site.put(HUB_ID, batch.id, other);
    assert.ok(put.kind === 'kept' && put.isContradiction);
    assert.equal((await place.site.have(HUB_ID, batch.id))?.total, other.total);
    for (const chunk of chunksOf(batch.bytes, 120)) await place.site.put(HUB_ID, batch.id, chunk);
    const claim = await place.site.claim(HUB_ID, batch.id);
    assert.equal(await claim?.drop(), other.total);
    await claim?.release();
    assert.equal(await place.site.have(HUB_ID, batch.id), undefined);
    await place.close();
  });

  test('the first bytes of its id name a batch that has begun to come, or is stored', async () => {
    const place = await placeOf(await make());
    const batch = await batchOf(stampedOps(1, 20));
    const ref = refOf(batch.id);
    assert.equal(await place.site.named(HUB_ID, ref), undefined);
    const chunks = chunksOf(batch.bytes);
    const [first] = chunks;
    assert.ok(first !== undefined && chunks.length > 1);
    await place.site.put(HUB_ID, batch.id, first);
    const named = { batch: batch.id, batchBytes: batch.bytes.length };
    assert.deepEqual(await place.site.named(HUB_ID, ref), named);
    assert.equal(await place.site.named(identityOf(9).id, ref), undefined);
    await keepBatch(place.site, batch);
    assert.deepEqual(await place.site.named(HUB_ID, ref), named);
    await place.close();
  });

  test('without a quota none is spent', async () => {
    const place = await placeOf(await make());
    assert.equal(await place.site.spent(HUB_ID), 'no');
    await place.close();
  });

  test('a quota that is spent is of one hub, or of all of the site; behind it is a reserve', async () => {
    const other = identityOf(9);
    for (const limits of [{ hubMibPerDay: 1 }, { siteMibPerDay: 1 }]) {
      const place = await placeOf(await make(limits));
      await place.site.meet(other.id, other.publicKey);
      const batch = await batchOf(
        stampedOps(1, 36).map(({ op }) => stampedOp(op.seq, { body: randomBytes(48_000) })),
      );
      const kinds: string[] = [];
      const spent = new Set<string>();
      for (const chunk of chunksOf(batch.bytes, 60_000)) {
        kinds.push((await place.site.put(HUB_ID, batch.id, chunk)).kind);
        spent.add(await place.site.spent(HUB_ID));
      }
      assert.deepEqual([...spent], ['no', 'quota', 'all'], 'one after the other');
      assert.deepEqual(new Set(kinds), new Set(['kept', 'over-quota']));
      assert.equal(await place.site.spent(HUB_ID), 'all');
      const isShared = 'siteMibPerDay' in limits;
      const others = await place.site.spent(other.id);
      assert.equal(others, isShared ? 'all' : 'no');
      await place.close();
    }
  });

  test('hubs are known by their keys; what nobody has met brings nothing', async () => {
    const place = await placeOf(await make());
    const stranger = identityOf(9);
    const batch = await batchOf(stampedOps(1, 3));
    assert.equal(await place.site.meet(HUB_ID, HUB.publicKey), 'known');
    assert.equal(await place.site.meet(HUB_ID, stranger.publicKey), 'other');
    assert.equal(await place.site.meet(stranger.id, stranger.publicKey), 'new');
    const [chunk] = chunksOf(batch.bytes);
    assert.ok(chunk !== undefined);
    const nobody = '0123456789abcdef' as typeof HUB_ID;
    assert.deepEqual(await place.site.put(nobody, batch.id, chunk), { kind: 'stranger' });
    const again = await place.reopen();
    assert.deepEqual(
      (await again.site.hubs()).map(({ hub }) => hub),
      [HUB_ID, stranger.id].toSorted(),
    );
    assert.deepEqual(await again.storage.sites(), [SITE]);
    await again.close();
  });

  test('a batch that is kept has its receipt, also after a restart, and is not asked for again', async () => {
    const place = await placeOf(await make());
    const batch = await batchOf(stampedOps(1, 50));
    const kept = await keepBatch(place.site, batch);
    assert.ok(kept.kind === 'kept');
    assert.equal(textOf(kept.receipt), `${batch.id} untold`);
    const digest = await place.site.digest();
    assert.equal(digest.ops, 50);
    const again = await place.reopen();
    assert.deepEqual(await again.site.receipt(HUB_ID, batch.id), kept.receipt);
    assert.deepEqual(await again.site.digest(), digest);
    assert.equal(await again.site.batches(), 1);
    assert.deepEqual(await again.site.complete(), []);
    const [chunk] = chunksOf(batch.bytes);
    assert.ok(chunk !== undefined);
    const put = await again.site.put(HUB_ID, batch.id, chunk);
    assert.deepEqual(put, { kind: 'stored', receipt: kept.receipt });
    await again.close();
  });

  test('an op counts once, in whatever batches it comes', async () => {
    const [once, often] = [await placeOf(await make()), await placeOf(await make())];
    await keepBatch(once.site, await batchOf(stampedOps(1, 60)));
    for (const [from, to] of [
      [21, 60],
      [1, 30],
      [10, 25],
    ] as const) {
      await keepBatch(often.site, await batchOf(stampedOps(from, to)));
    }
    assert.deepEqual(await often.site.digest(), await once.site.digest());
    const query = { key: 'meters/1/power', fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };
    assert.deepEqual(await often.site.readings(query), await once.site.readings(query));
    assert.equal((await once.site.readings(query)).points.length, 20);
    await once.close();
    await often.close();
  });

  test('what is put aside blocks nothing, and is known as the one before', async () => {
    const place = await placeOf(await make());
    const bad = await batchOf(stampedOps(1, 3));
    const next = await batchOf(stampedOps(4, 6), { previous: bad.id });
    assert.ok(await putAll(place.site, bad));
    const claim = await place.site.claim(HUB_ID, bad.id);
    await claim?.park(TELEMETRY, 'for a test', claim.bytes);
    await claim?.release();
    const kept = await keepBatch(place.site, next);
    assert.ok(kept.kind === 'kept' && !kept.facts.isLoose);
    assert.equal(await place.site.receipt(HUB_ID, bad.id), undefined);
    assert.equal((await place.site.digest()).ops, 3);
    const again = await place.reopen();
    const reasons = async (): Promise<unknown> =>
      (await again.site.hubs()).map((hub) => hub.parked);
    assert.deepEqual(await reasons(), [['for a test']], 'and people are told');
    await keepBatch(again.site, bad);
    assert.deepEqual(await reasons(), [[]], 'until it is taken after all');
    await again.close();
  });

  test('what waited for one that is put aside can be taken then', async () => {
    const place = await placeOf(await make());
    const bad = await batchOf(stampedOps(1, 3));
    const next = await batchOf(stampedOps(4, 6), { previous: bad.id });
    await place.site.heard(helloOf(1, [bad.id, next.id]));
    const early = await keepBatch(place.site, next);
    assert.ok(await putAll(place.site, bad));
    const claim = await place.site.claim(HUB_ID, bad.id);
    const freed = await claim?.park(TELEMETRY, 'for a test', claim.bytes);
    assert.deepEqual(freed, early.kind === 'later' ? [next.id] : []);
    await place.close();
  });

  test('a batch whose predecessor the hub no longer has is kept at once, and says so', async () => {
    const place = await placeOf(await make());
    const lost = await batchOf(stampedOps(1, 3));
    const next = await batchOf(stampedOps(4, 6), { previous: lost.id });
    await place.site.heard(helloOf(1, [next.id]));
    const kept = await keepBatch(place.site, next);
    assert.ok(kept.kind === 'kept' && kept.facts.isLoose);
    await place.close();
  });

  test('of two batches that a hub still has, the later one leaves no gap, however they come', async () => {
    const place = await placeOf(await make());
    const tree = treesOf();
    const first = await batchOf(stampedOps(1, 3), { ...told(tree.at(3)) });
    const next = await batchOf(stampedOps(4, 6), { ...told(tree.at(6)), previous: first.id });
    await place.site.heard(helloOf(1, [first.id, next.id]));
    const early = await keepBatch(place.site, next);
    if (early.kind === 'later') {
      const kept = await keepBatch(place.site, first);
      assert.ok(kept.kind === 'kept');
      assert.deepEqual(kept.freed, [next.id]);
      const late = await keepComplete(place.site, next.id);
      assert.ok(late.kind === 'kept' && late.facts.history === 'agrees' && !late.facts.isLoose);
    }
    await place.close();
  });

  test('a hub cannot tell another history than before', async () => {
    const place = await placeOf(await make());
    const tree = treesOf();
    const first = await batchOf(stampedOps(1, 300), { ...told(tree.at(300)) });
    const second = await batchOf(stampedOps(301, 700), {
      ...told(tree.at(700)),
      previous: first.id,
    });
    const late = await batchOf(stampedOps(901, 950), {
      ...told(tree.at(950)),
      previous: second.id,
    });
    for (const batch of [first, second]) {
      const kept = await keepBatch(place.site, batch);
      assert.ok(kept.kind === 'kept' && kept.facts.history === 'agrees');
      assert.deepEqual(kept.facts.head, tree.at(batch === first ? 300 : 700));
    }
    const gap = await keepBatch(place.site, late);
    assert.ok(gap.kind === 'kept' && gap.facts.history === 'gap');
    const retold = await keepBatch(
      place.site,
      await batchOf(stampedOps(251, 400), { ...told(tree.at(400)) }),
    );
    assert.ok(retold.kind === 'kept' && retold.facts.history === 'agrees', 'told again');
    assert.equal(retold.facts.head.size, 700);
    const other = [...stampedOps(701, 709), stampedOp(710, { key: 'else' })];
    const forked = await batchOf(other, { ...told(tree.at(710)) });
    assert.deepEqual(await keepBatch(place.site, forked), { kind: 'forked', known: 700 });
    const again = await place.reopen();
    const go = await keepBatch(
      again.site,
      await batchOf(stampedOps(701, 720), { ...told(tree.at(720)) }),
    );
    assert.ok(go.kind === 'kept' && go.facts.history === 'agrees');
    // The leaves of 721 to 1,000, whose ops never come, are told with those behind them.
    const lacking = stampedOps(721, 1_000).map(({ bytes }) => leafHash(bytes));
    const behind = { ...told(tree.at(1_010)), skipped: Buffer.concat(lacking) };
    const closing = await keepBatch(again.site, await batchOf(stampedOps(1_001, 1_010), behind));
    assert.ok(closing.kind === 'kept' && closing.facts.history === 'agrees');
    assert.deepEqual(closing.facts.head, tree.at(1_010));
    const once = { ...told(tree.at(1_012)), skipped: Buffer.concat(lacking.toReversed()) };
    const wrong = await keepBatch(again.site, await batchOf(stampedOps(1_011, 1_012), once));
    assert.deepEqual(wrong, { kind: 'forked', known: 1_010 });
    await again.close();
  });

  test('what a hub has lost is given back as it had come, and how far back all is known is told', async () => {
    const place = await placeOf(await make());
    const first = await batchOf(stampedOps(1, 30), { throughLsn: 30 });
    const after = { previous: first.id, fromLsn: 31, throughLsn: 60 };
    await keepBatch(place.site, first);
    await keepBatch(place.site, await batchOf(stampedOps(31, 60), after));
    const lane = { origin: HUB_ID, class: TELEMETRY } as const;
    const lacks = [
      { ...lane, from: 29, to: 33 },
      { ...lane, from: 61, to: 70 },
    ];
    const { heal } = place.site;
    assert.deepEqual(await heal.answer({ hub: HUB_ID, lacks }), { ops: 5, wholeFromLsn: 0 });
    const given = await heal.next({ hub: HUB_ID, lacks });
    assert.deepEqual(given?.ops.map(plainOp), stampedOps(29, 33).map(plainOp));
    assert.equal(await heal.next({ hub: HUB_ID, lacks: lacks.slice(1) }), undefined);
    const receiver = { takes: [], vector: new Map(), lacks, underway: undefined };
    const { receivers } = place.site.down;
    await receivers.change(HUB_ID, async () => ({ receiver, result: undefined }));
    assert.deepEqual((await receivers.get(HUB_ID))?.lacks, lacks);
    await place.close();
  });

  test('a claim that is given up leaves everything as it was', async () => {
    const place = await placeOf(await make());
    const batch = await batchOf(stampedOps(1, 20));
    const empty = await place.site.digest();
    await putAll(place.site, batch);
    const claim = await place.site.claim(HUB_ID, batch.id);
    assert.ok(claim !== undefined);
    await opened(claim, batch.id);
    await claim.release();
    assert.deepEqual(await place.site.digest(), empty);
    assert.equal((await keepComplete(place.site, batch.id)).kind, 'kept');
    await place.close();
  });

  test('parts that a hub has given up are dropped by a later hello, not by an old one', async () => {
    const place = await placeOf(await make());
    const batch = await batchOf(stampedOps(1, 200));
    const [chunk] = chunksOf(batch.bytes);
    assert.ok(chunk !== undefined);
    await place.site.put(HUB_ID, batch.id, chunk);
    const hello = (nonce: number, spooled: BatchId[]) => place.site.heard(helloOf(nonce, spooled));
    assert.deepEqual(await hello(1, []), [batch.id]);
    assert.deepEqual(await hello(2, [batch.id]), [batch.id]);
    assert.deepEqual(await hello(3, []), []);
    assert.equal(await place.site.have(HUB_ID, batch.id), undefined);
    await place.close();
  });

  test('why a hub sends nothing is known until it says hello without that', async () => {
    const place = await placeOf(await make());
    const hindrances = async (): Promise<(string | undefined)[]> =>
      (await place.site.hubs()).map(({ hindrance }) => hindrance);
    assert.deepEqual(await hindrances(), [undefined]);
    await place.site.heard(helloOf(1, []), 'its law');
    assert.deepEqual(await hindrances(), ['its law']);
    await place.site.heard(helloOf(2, []));
    assert.deepEqual(await hindrances(), [undefined]);
    await place.close();
  });
});

function helloOf(nonce: number, spooled: readonly BatchId[]): Hello {
  return {
    hub: HUB_ID,
    site: SITE,
    publicKey: HUB.publicKey,
    nonce: new Uint8Array(8).fill(nonce),
    software: 'x',
    formats: [1],
    compressions: ['none'],
    encodings: ['rows'],
    spooled,
  };
}

/** What the outbox adds for a hub with a ledger. */
function told(tree: TreeHead): Partial<SealContext> {
  const context: Partial<SealContext> & { readonly tree: TreeHead } = { tree };
  return context;
}

/** Heads of the tree over the ops 1, 2, 3 … of the tests. */
function treesOf(): { at(size: number): TreeHead } {
  return {
    at: (size) => {
      const hasher = new TreeHasher();
      for (const { bytes } of stampedOps(1, size)) hasher.add(bytes);
      return { size, root: hasher.root() };
    },
  };
}
