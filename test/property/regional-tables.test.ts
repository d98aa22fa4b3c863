/** Random histories in PostgreSQL: the tables hold what the pure fold holds, through whichever worker the ops came. */
import assert from 'node:assert/strict';

import fc from 'fast-check';

import { hexOf } from '../../src/base/bytes.ts';
import { conflictsOf } from '../../src/merge/conflicts.ts';
import { digestOf } from '../../src/merge/state/digest.ts';
import { fold } from '../../src/merge/fold.ts';
import { MemoryState } from '../../src/merge/state/memory-state.ts';
import { textOfOpId } from '../../src/merge/op-id.ts';
import { migrate } from '../../src/regional/postgres/schema/migrations.ts';
import { digestOfSite } from '../../src/regional/postgres/folding/state-digest.ts';
import { sha256Hasher } from '../../src/store/sha256-hasher.ts';
import { REGION } from '../support/made/batches.ts';
import { anySite } from '../support/made/horizons.ts';
import { anyShuffledHistory } from '../support/made/histories.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { connect, PostgresServer } from '../support/machine/postgres.ts';
import { folderInto, makeSite } from '../support/memory/folded-site.ts';

/** With horizons, whose ops the tables keep. */
const anyFolded = anySite.map(([history, shuffled, again]) => ({
  history,
  shuffled: [...again, ...shuffled],
}));

testWithPeers(
  'tables of a fleet hold what the pure fold holds',
  ['postgres', 'initdb'],
  async () => {
    const server = await PostgresServer.start(['fsync=off']);
    const url = server.url(await server.create());
    const databases = [await connect(url), await connect(url)] as const;
    const [database] = databases;
    try {
      await Promise.all(databases.map((each) => migrate(each, REGION.publicKey)));
      let sites = 0;
      const law = fc.asyncProperty(
        fc.oneof(anyShuffledHistory, anyFolded),
        fc.integer({ min: 1, max: 9 }),
        async ({ history, shuffled }, size) => {
          const memory = new MemoryState();
          for (const op of history) fold(memory, op);
          sites += 1;
          const siteId = await makeSite(database, `site-${sites}`);
          const workers = databases.map((each) => folderInto(each, siteId));
          for (let at = 0; at < shuffled.length; at += size) {
            await workers[(at / size) % 2]?.(shuffled.slice(at, at + size));
          }
          const { digest, ops } = await digestOfSite(database, siteId);
          assert.equal(digest, hexOf(digestOf(memory, sha256Hasher()).digest));
          assert.equal(ops, history.filter(({ op }) => op.class !== 6).length);
          const rows = await database.query(
            `SELECT key, field, kind, winner, loser FROM heliograph.conflicts
           WHERE site = $1 AND closed_at IS NULL`,
            [`site-${sites}`],
          );
          const found = rows.map((each) => Object.values(each).join(' '));
          const keys = new Set(history.map(({ op }) => op.key));
          const expected = [...keys].flatMap((key) =>
            conflictsOf(memory.writes(key)).map(({ field, kind, winner, loser }) =>
              [
                key.replaceAll('\0', '\u2400'),
                field,
                kind,
                textOfOpId(winner),
                textOfOpId(loser),
              ].join(' '),
            ),
          );
          assert.deepEqual(found.toSorted(), expected.toSorted());
        },
      );
      await fc.assert(law, { numRuns: 40 });
    } finally {
      for (const each of databases) await each.close();
      await server.stop();
    }
  },
);
