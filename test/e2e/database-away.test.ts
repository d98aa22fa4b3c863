/** A regional node whose PostgreSQL is away says so to whoever asks it: people, monitoring and the fleet page. */
import assert from 'node:assert/strict';

import { eventually, getJson, uplinked } from '../support/hubs/api.ts';
import { publish } from '../support/hubs/damage.ts';
import { startHub, startRegional } from '../support/hubs/hub.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { PostgresServer } from '../support/machine/postgres.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

testWithPeers(
  'metrics go on without the database and say that it is away, other answers say what to do',
  ['postgres', 'initdb'],
  async () => {
    const server = await PostgresServer.start();
    try {
      const database = `regional.database=${server.url(await server.create())}`;
      const region = await startRegional({ data: tempDir(), sets: [database] });
      const hub = await startHub({ data: tempDir(), sets: [`uplink.url=${region.mqttUrl}`] });
      await publish(hub, ['meters/1'], 10);
      await uplinked(hub.httpUrl);
      const isUp = (text: string): boolean => /^heliograph_region_database_up 1$/m.test(text);
      const metrics = async (): Promise<string> => {
        const answer = await fetch(`${region.httpUrl}metrics`);
        assert.equal(answer.status, 200);
        return answer.text();
      };
      await eventually(metrics, (text) => isUp(text) && text.includes('heliograph_site_hubs'));
      await server.halt('SIGINT');
      await eventually(metrics, (text) => text.includes('heliograph_region_database_up 0'));
      for (const path of ['status', 'fleet']) {
        const answer = await fetch(`${region.httpUrl}api/v1/${path}`);
        assert.equal(answer.status, 503);
        const { detail } = (await answer.json()) as { detail: string };
        assert.match(detail, /PostgreSQL does not answer.*Check the server/);
      }
      await server.resume();
      await eventually(metrics, isUp);
      await getJson(`${region.httpUrl}api/v1/fleet`);
    } finally {
      await server.stop();
    }
  },
);
