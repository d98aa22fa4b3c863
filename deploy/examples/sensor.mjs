/**
 * A sensor with the SDK: `node sensor.mjs mqtt://HOST:1883 ./sensor-1`. It measures whether the hub is there or not,
 * keeps what it measured through its own restarts, and hands it in when it can.
 */
import { connect } from 'heliograph/client';

const [url = 'mqtt://127.0.0.1:1883', dir = './sensor-1'] = process.argv.slice(2);
const device = await connect({ url, dir, name: 'sensor-1', scope: 'none' });
device.onStatus(({ contact, pending }) => console.log(`${contact}, ${pending} not on the hub yet`));

for (let number = 0; number < 5; number++) {
  const celsius = Math.round(180 + 130 * Math.random()) / 10;
  device
    .event('devices/sensor-1/room', JSON.stringify({ celsius }))
    .then(({ op }) => console.log(`${celsius} °C is on the hub's disk as ${op.seq}`))
    .catch((error) => console.error(error.message));
  await new Promise((resolve) => setTimeout(resolve, 1_000));
}
await device.record('devices/sensor-1/about').set({ kind: 'thermometer', readings: 5 });
await device.close();
