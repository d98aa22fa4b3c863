/** A crowd of MQTT clients that publish numbered messages as fast as a window allows, and note what was acknowledged. */
import { connect, type MqttClient } from 'mqtt';

export interface Acknowledged {
  readonly topic: string;
  readonly payload: string;
}

export class Publisher {
  readonly acknowledged: Acknowledged[] = [];
  readonly #padding: string;
  readonly #clients: MqttClient[] = [];
  #next = 0;
  #isStopped = false;

  /** Each payload has `paddingBytes` beside its number. */
  constructor(paddingBytes = 0) {
    this.#padding = paddingBytes === 0 ? '' : `,"padding":"${'x'.repeat(paddingBytes)}"`;
  }

  /** Connects `count` clients to the port; they begin at once. */
  async start(port: number, count: number, window: number): Promise<void> {
    this.#isStopped = false;
    for (let index = 0; index < count; index++) {
      const client = connect(`mqtt://127.0.0.1:${port}`, {
        reconnectPeriod: 0,
        clientId: `load-${index}`,
      });
      client.on('error', () => undefined); // The broker is killed under it: that is the test.
      this.#clients.push(client);
      await new Promise<void>((resolve) => {
        client.once('connect', () => resolve());
        client.once('close', () => resolve()); // Refused, or the broker is gone already.
      });
      for (let slot = 0; slot < window; slot++) this.#publish(client, `load/${index}`);
    }
  }

  /** Cuts all connections; what is acknowledged stays noted. */
  stop(): void {
    this.#isStopped = true;
    for (const client of this.#clients.splice(0)) client.end(true);
  }

  #publish(client: MqttClient, topic: string): void {
    if (this.#isStopped || !client.connected) return;
    const payload = `{"n":${this.#next++}${this.#padding}}`;
    client.publish(topic, payload, { qos: 1 }, (error) => {
      if (error !== undefined && error !== null) return;
      this.acknowledged.push({ topic, payload });
      this.#publish(client, topic);
    });
  }
}
