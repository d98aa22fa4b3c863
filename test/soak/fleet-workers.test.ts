/** The fleet of test/e2e/fleet-workers.test.ts at full size. */
import { vi } from 'vitest';

import { testWithPeers } from '../support/machine/peers.ts';
import { fleetUnderKills } from '../support/hubs/fleet-world.ts';

vi.setConfig({ testTimeout: 1_560_000 });

testWithPeers(
  'three workers, a hundred hubs, a worker killed every 2 s: exact totals',
  ['mosquitto', 'postgres', 'initdb'],
  async ([mosquitto = '']) => {
    await fleetUnderKills({
      workers: 3,
      hubs: 100,
      opsPerHub: 2_000,
      killEveryMs: 2_000,
      killsMin: 20,
      restartAfterKills: 7,
      deadlineMs: 1_500_000,
      mosquitto,
    });
  },
);
