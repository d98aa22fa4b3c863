/** Conflicts in the tables of a fleet, for people: they end when what was in conflict is gone. */
import assert from 'node:assert/strict';

import { encodePatch } from '../../src/merge/patch.ts';
import { migrate } from '../../src/regional/postgres/schema/migrations.ts';
import { REGION } from '../support/made/batches.ts';
import { DEVICE_A, DEVICE_B, patchOp, removeOp } from '../support/made/ops.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { connect, PostgresServer } from '../support/machine/postgres.ts';
import { folderInto, makeSite } from '../support/memory/folded-site.ts';

const OPEN = 'SELECT key FROM heliograph.conflicts WHERE closed_at IS NULL ORDER BY key';

testWithPeers('a remove ends the conflicts of its record', ['postgres', 'initdb'], async () => {
  const server = await PostgresServer.start(['fsync=off']);
  const database = await connect(server.url(await server.create()));
  try {
    await migrate(database, REGION.publicKey);
    const take = folderInto(database, await makeSite(database, 'demo'));
    // Keys and conflicts are numbered apart: here no number of the one is that of the other.
    const keys = ['a', 'b', 'c', 'd'];
    for (const [seq, key] of keys.entries()) {
      await take([patchOp({ note: 1 }, { key, origin: DEVICE_A, seq: seq + 1, atMs: 1000 })]);
    }
    for (const [seq, key] of ['d', 'c'].entries()) {
      // Its writer has not seen the other note.
      const body = encodePatch({ note: 2 }, { note: [] });
      await take([patchOp({}, { key, body, origin: DEVICE_B, seq: seq + 1, atMs: 2000 })]);
    }
    const open = async (): Promise<unknown[]> => (await database.query(OPEN)).map(({ key }) => key);
    assert.deepEqual(await open(), ['c', 'd']);
    await take([removeOp({ key: 'd', origin: DEVICE_A, seq: 5, atMs: 3000 })]);
    assert.deepEqual(await open(), ['c']);
  } finally {
    await database.close();
    await server.stop();
  }
});
