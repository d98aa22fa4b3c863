/** Workers of a regional node on one PostgreSQL: killed, restarted, cut from their database, and nothing lost or doubled. */

import { testWithPeers } from '../support/machine/peers.ts';
import { fleetUnderKills } from '../support/hubs/fleet-world.ts';

testWithPeers(
  'two workers, ten hubs, kills, and a database that is restarted: exact totals',
  ['mosquitto', 'postgres', 'initdb'],
  async ([mosquitto = '']) => {
    await fleetUnderKills({
      workers: 2,
      hubs: 10,
      opsPerHub: 600,
      killEveryMs: 1_500,
      killsMin: 4,
      restartAfterKills: 2,
      deadlineMs: 480_000,
      mosquitto,
    });
  },
);
