/** Assets at a fleet of workers on one PostgreSQL: what one of them has taken, another serves. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

import { eventually } from '../support/hubs/api.ts';
import { openFleet } from '../support/hubs/fleet-world.ts';
import { startHub } from '../support/hubs/hub.ts';
import { testWithPeers } from '../support/machine/peers.ts';
import { jpegOf } from '../support/made/pictures.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

testWithPeers(
  'a photo and its preview come up by one worker, and another serves them when that one is dead',
  ['mosquitto', 'postgres', 'initdb'],
  async ([mosquitto = '']) => {
    const fleet = await openFleet(mosquitto);
    const first = await fleet.start(0);
    const hub = await startHub({
      data: tempDir(),
      sets: [`uplink.url=mqtt://127.0.0.1:${fleet.port}`],
    });
    const picture = jpegOf(900, 700, 90);
    const sha256 = createHash('sha256').update(picture).digest('hex');
    const path = `api/v1/assets/${sha256}`;
    const sent = await fetch(`${hub.httpUrl}${path}?key=meter/4/photo`, {
      method: 'PUT',
      headers: { 'Content-Type': 'image/jpeg' },
      body: picture as Uint8Array<ArrayBuffer>,
    });
    assert.equal(sent.status, 201, await sent.text());
    const small = await eventually(
      () => fetch(`${first.httpUrl}${path}?width=320`),
      ({ status }) => status === 200,
    );
    assert.equal(small.headers.get('content-type'), 'image/jpeg');
    await eventually(
      () => fetch(`${first.httpUrl}${path}`),
      ({ status }) => status === 200,
    );
    first.process.kill('SIGKILL');
    await first.process.exited;
    const second = await fleet.start(1);
    const answer = await fetch(`${second.httpUrl}${path}`);
    assert.equal(answer.headers.get('etag'), `"${sha256}"`);
    assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), picture);
    const part = await fetch(`${second.httpUrl}${path}`, { headers: { Range: 'bytes=100-199' } });
    assert.equal(part.status, 206);
    assert.deepEqual(new Uint8Array(await part.arrayBuffer()), picture.slice(100, 200));
  },
);
