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

testWithPeers(
  'a worker that is held for longer than its transaction may last, and goes on: exact totals',
  ['mosquitto', 'postgres', 'initdb'],
  async ([mosquitto = '']) => {
    await fleetUnderKills({
      workers: 3,
      hubs: 20,
      opsPerHub: 2_000,
      killEveryMs: 1_000,
      killsMin: 3,
      holdMs: 70_000,
      deadlineMs: 600_000,
      mosquitto,
    });
  },
);
