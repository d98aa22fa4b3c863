/** A regional node that folds its batches anew, and cannot read the key of a hub. */
import assert from 'node:assert/strict';

import { test } from 'vitest';

import { utf8 } from '../../../../src/base/bytes.ts';
import { HUB_ID, SITE, stampedOps } from '../../../support/made/batches.ts';
import { UplinkWorld } from '../../../support/simulated/uplink-world.ts';

test('says which batches it leaves out, and has them once the hub has greeted it', async () => {
  const it = new UplinkWorld();
  await it.startRegion();
  it.startHub();
  it.journal.append(...stampedOps(1, 3));
  await it.deliver();
  it.crashHub('kill');
  it.crashRegion('kill');
  it.stores.clear();
  it.regionFiles.replace(`region/sites/${SITE}/hubs/${HUB_ID}.pub`, utf8('00\n'));
  await it.startRegion();
  const told = it.log.lines.find(({ event }) => event === 'regional.archive.unopened');
  assert.equal(told?.fields['reason'], `the key of hub ${HUB_ID} cannot be read`);
  // The hello that the broker kept brings the key.
  await it.clock.advance(1_000);
  assert.equal(it.store.ops.size, 3);
  assert.deepEqual(it.fatal, []);
  await it.stop();
});
