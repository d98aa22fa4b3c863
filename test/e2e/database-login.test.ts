/** A PostgreSQL server that asks for a password, as every one but those of tests does. */
import assert from 'node:assert/strict';

import { connect, PostgresServer } from '../support/machine/postgres.ts';
import { testWithPeers } from '../support/machine/peers.ts';

/** What a URL could take for its own. */
const PASSWORD = "pa%41ss w+rd?&#/@:'";

testWithPeers(
  'the password of its file opens the database, over TCP and over the socket',
  ['postgres', 'initdb'],
  async () => {
    const server = await PostgresServer.start();
    try {
      await server.askForPasswords(PASSWORD);
      await server.halt('SIGINT');
      await server.resume();
      for (const url of [server.url('postgres'), server.socketUrl('postgres')]) {
        const database = await connect(url, 1, PASSWORD);
        assert.equal((await database.query('SELECT 1 AS one'))[0]?.['one'], 1);
        await database.close();
        for (const wrong of ['wrong', undefined]) {
          const refused = await connect(url, 1, wrong);
          // A person must mend that; to wait for it, as for a server that starts, would be in vain.
          await assert.rejects(refused.query('SELECT 1'), { code: 'database.refused' });
          await refused.close();
        }
      }
    } finally {
      await server.stop();
    }
  },
);
