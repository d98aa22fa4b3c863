/** Batches encrypted to the operator's key, and data that may not be stored anywhere, between a hub and a region. */
import assert from 'node:assert/strict';

import { describe, test } from 'vitest';

import { textOf, utf8 } from '../../../src/base/bytes.ts';
import { encodeChunk, layoutOf } from '../../../src/batch/wire/chunks.ts';
import { chunkTopic } from '../../../src/batch/wire/topics.ts';
import { makeOperatorKey } from '../../../src/keys/batch-seal.ts';
import { TELEMETRY } from '../../../src/model/class.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { batchOf, HUB_ID, SITE, stampedOp, stampedOps } from '../../support/made/batches.ts';
import { type Terms, UplinkWorld } from '../../support/simulated/uplink-world.ts';

const random = new SeededRandom(5);
const OLD_KEY = makeOperatorKey(random);
const NEW_KEY = makeOperatorKey(random);
const SITE_DIR = 'region/sites/demo';

async function world(terms: Terms): Promise<UplinkWorld> {
  const made = new UplinkWorld({ uplink: { replyMsMax: 3_000, pauseMsMax: 10_000 } });
  made.terms = terms;
  await made.startRegion();
  made.startHub();
  return made;
}

/** Every byte that the region keeps of its batches, as text. */
function keptText(it: UplinkWorld, folder = 'batches'): string {
  const dir = `${SITE_DIR}/${folder}`;
  const files = it.regionFiles.list(dir).map((name) => it.regionFiles.read(`${dir}/${name}`));
  return files.map((bytes) => Buffer.from(bytes ?? []).toString('latin1')).join('');
}

const faultsOf = (it: UplinkWorld): string[] =>
  it.uplink?.status().faults.map(({ code }) => code) ?? [];

describe('the payload is for the operator alone', () => {
  test('the region opens it, and what it keeps says nothing without the key', async () => {
    const it = await world({ operatorKey: OLD_KEY, heldKeys: [NEW_KEY, OLD_KEY] });
    it.journal.append(stampedOp(1, { body: utf8('a most telling secret'), key: 'only/here' }));
    await it.deliver();
    assert.equal(it.store.digest().ops, 1);
    assert.ok(!keptText(it).includes('telling secret'));
    assert.ok(!keptText(it).includes('only/here'));
    assert.deepEqual(faultsOf(it), []);
    await it.stop();
  });

  test('without a key the batch is in the open', async () => {
    const it = await world({});
    it.journal.append(stampedOp(1, { body: utf8('a most telling secret') }));
    await it.deliver();
    assert.ok(keptText(it).includes('telling secret'), 'otherwise the test above proves nothing');
    await it.stop();
  });

  test('a region without the key gets nothing, both say so, and with the key all comes', async () => {
    const it = await world({ operatorKey: OLD_KEY, heldKeys: [NEW_KEY] });
    it.journal.append(...stampedOps(1, 20));
    await it.clock.advance(60_000);
    assert.deepEqual(faultsOf(it), ['uplink.key-unknown']);
    assert.ok(it.log.count('uplink.key-unknown') > 0);
    assert.ok(it.log.count('regional.hub.unreadable') > 0);
    assert.equal(it.uplink?.backlog()[TELEMETRY].ops, 20);
    assert.equal(keptText(it), '');
    it.crashRegion('kill');
    it.terms.heldKeys = [OLD_KEY, NEW_KEY];
    await it.startRegion();
    await it.deliver();
    assert.equal(it.store.digest().ops, 20);
    assert.deepEqual(faultsOf(it), []);
    await it.stop();
  });

  test('what waits in the spool in the open is sealed anew once there is a key', async () => {
    const it = await world({ heldKeys: [OLD_KEY] });
    it.journal.append(stampedOp(1, { body: utf8('a most telling secret') }));
    const spool = (): string[] => it.hubFiles.list('hub/uplink/spool');
    for (let i = 0; i < 500 && spool().length === 0; i++) await it.clock.advance(5);
    it.crashRegion('kill');
    it.crashHub('kill');
    assert.equal(spool().length, 1, 'sealed and not delivered');
    assert.equal(keptText(it), '');
    await it.clock.advance(1_000); // What was on its way gets lost.
    it.terms.operatorKey = OLD_KEY;
    await it.startRegion();
    it.startHub();
    await it.deliver();
    assert.equal(it.store.digest().ops, 1);
    assert.ok(!keptText(it).includes('telling secret'));
    await it.stop();
  });

  test('a restarted region stores again from its archive what its store has lost', async () => {
    const it = await world({ operatorKey: OLD_KEY, heldKeys: [OLD_KEY] });
    it.journal.append(...stampedOps(1, 30));
    await it.deliver();
    it.crashRegion('powerCut');
    it.stores.clear();
    await it.startRegion();
    assert.equal(it.store.digest().ops, 30);
    await it.stop();
  });
});

describe('a region whose store is gone', () => {
  test.each<[string, Terms, Terms]>([
    ['without its key', { operatorKey: OLD_KEY, heldKeys: [OLD_KEY] }, { heldKeys: [NEW_KEY] }],
    ['under another law', { jurisdiction: 'KE', accepts: ['KE'] }, { accepts: ['FR'] }],
  ])('keeps what it had taken, also %s', async (_name, terms, meanwhile) => {
    const it = await world(terms);
    it.journal.append(...stampedOps(1, 30));
    await it.deliver();
    const kept = keptText(it);
    for (const now of [meanwhile, terms]) {
      it.crashRegion('powerCut');
      it.stores.clear();
      it.terms = now;
      await it.startRegion();
      assert.equal(keptText(it), kept);
    }
    assert.equal(it.store.digest().ops, 30);
    await it.stop();
  });
});

describe('data stays where its law wants it', () => {
  test('a region that may not store it gets nothing, and both say so', async () => {
    const it = await world({ jurisdiction: 'KE', accepts: ['EU-DE', 'FR'] });
    it.journal.append(...stampedOps(1, 3));
    await it.clock.advance(60_000);
    assert.deepEqual(faultsOf(it), ['uplink.jurisdiction']);
    const line = it.log.lines.find(({ event }) => event === 'regional.jurisdiction.refused');
    assert.equal(line?.fields['jurisdiction'], 'KE');
    const [contact] = (await it.region?.site(SITE)?.storage.hubs()) ?? [];
    assert.match(
      contact?.hindrance ?? '',
      /jurisdiction KE, and this region stores only EU-DE, FR$/,
    );
    const audited = it.hindrances.map(({ by }) => by).toSorted();
    assert.deepEqual(audited, ['hub', 'region'], 'in both audit logs, once');
    assert.ok(it.hindrances.every(({ why }) => why.includes('jurisdiction KE')));
    assert.equal(keptText(it), '');
    assert.equal(it.uplink?.backlog()[TELEMETRY].ops, 3);
    await it.stop();
  });

  test('one that accepts it stores it, with the tag in the signed manifest', async () => {
    const it = await world({ jurisdiction: 'KE', accepts: ['KE'] });
    it.journal.append(...stampedOps(1, 3));
    await it.deliver();
    assert.equal(it.store.digest().ops, 3);
    assert.match(keptText(it), /bKE/, 'the text KE as CBOR');
    await it.stop();
  });

  test('a list refuses whoever says nothing', async () => {
    const it = await world({ accepts: ['KE'] });
    it.journal.append(...stampedOps(1, 3));
    await it.clock.advance(30_000);
    assert.deepEqual(faultsOf(it), ['uplink.jurisdiction']);
    await it.stop();
  });

  test.each([
    [['KE', 'FR', ''], 'KE, FR and what says none'],
    [[''], 'what says none'],
  ])('a list with the empty code is told in words: %j', async (accepts, text) => {
    const it = await world({ jurisdiction: 'DE', accepts });
    it.journal.append(...stampedOps(1, 3));
    await it.clock.advance(30_000);
    const [fault] = it.uplink?.status().faults ?? [];
    assert.equal(fault?.message, `this site has jurisdiction DE; the region stores only ${text}`);
    const [contact] = (await it.region?.site(SITE)?.storage.hubs()) ?? [];
    assert.match(contact?.hindrance ?? '', new RegExp(`this region stores only ${text}$`));
    await it.stop();
  });

  test('of a batch that comes all the same, nothing is kept but the reason', async () => {
    const it = await world({ accepts: ['FR'] });
    const options = { url: 'mqtt://sim', clientId: 'x', keepaliveS: 60, connectTimeoutMs: 1_000 };
    const handlers = { onMessage: () => undefined, onClose: () => undefined };
    const session = await it.until(it.broker.client().connect(options, handlers));
    const batch = await batchOf(stampedOps(1, 3), { jurisdiction: 'KE' });
    const layout = layoutOf(batch.bytes.length);
    const topic = chunkTopic({ site: SITE, hub: HUB_ID }, batch.id, 0);
    it.journal.append(stampedOp(9));
    await it.clock.advance(2_000);
    await it.until(session.publish(topic, encodeChunk(batch.bytes, layout, 0), { qos: 1 }));
    await it.clock.advance(2_000);
    const parked = it.regionFiles.list(`${SITE_DIR}/parked`);
    assert.equal(parked.length, 2);
    for (const name of parked) {
      const bytes = it.regionFiles.read(`${SITE_DIR}/parked/${name}`) ?? new Uint8Array();
      if (name.endsWith('.batch')) assert.equal(bytes.length, 0);
      else assert.equal(textOf(bytes), 'jurisdiction not accepted\n');
    }
    assert.equal(it.regionFiles.list(`${SITE_DIR}/batches`).length, 0);
    await it.stop();
  });
});
