/**
 * Clients of MQTT.js at a hub that may end, or cut them off, at any moment. The library by itself settles neither a publish whose
 * connection is lost nor, while one waits, a gentle end; tries again for good where the first connection is closed
 * before its CONNACK; and throws where a connection breaks and nobody listens for errors.
 */
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';

/** Rejects where the hub is not there, or lets nobody in. The caller ends it, by force. */
export async function openClient(url: string, options: IClientOptions = {}): Promise<MqttClient> {
  const client = await connectAsync(url, { reconnectPeriod: 0, ...options }, false);
  client.on('error', () => undefined); // 'close' follows.
  return client;
}

/** Publishes at QoS 1; rejects where the connection is lost before the acknowledgement. */
export function acknowledged(
  client: MqttClient,
  topic: string,
  payload: string | Buffer,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const lost = (): void => reject(new Error('connection closed before the acknowledgement'));
    if (!client.connected) return lost();
    client.once('close', lost);
    client.publish(topic, payload, { qos: 1 }, (error) => {
      client.off('close', lost);
      if (error === undefined || error === null) resolve();
      else reject(error);
    });
  });
}

/** A visit for one message. */
export async function publishTo(
  url: string,
  topic: string,
  payload: string | Buffer,
  options: IClientOptions = {},
): Promise<void> {
  const client = await openClient(url, options);
  try {
    await acknowledged(client, topic, payload);
  } finally {
    await client.endAsync(true);
  }
}
