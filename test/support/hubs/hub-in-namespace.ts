/** A person at a hub that lives in a network namespace (machine/netns.ts): publishes there, and asks for its status. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

import type { StatusSnapshot } from '../../../src/status/snapshot.ts';
import type { Namespaces } from '../machine/netns.ts';
import { spawnProcess } from '../machine/spawn.ts';
import { heliograph } from './hub.ts';

const ASK_MS = 250;

export class HubInNamespace {
  readonly #spaces: Namespaces;
  readonly #data: string;
  readonly #mqttPort: number;

  constructor(spaces: Namespaces, data: string, mqttPort: number) {
    this.#spaces = spaces;
    this.#data = data;
    this.#mqttPort = mqttPort;
  }

  /** With `mosquitto_pub`; `message` is how it is told the payload: `-m text`, `-f file`. */
  publish(topic: string, ...message: readonly string[]): Promise<void> {
    return this.#inside(...this.#publisher(topic), ...message);
  }

  /** A message of each line of the file. */
  publishLines(topic: string, file: string): Promise<void> {
    return this.#inside('sh', '-c', `"$@" -l < '${file}'`, 'sh', ...this.#publisher(topic));
  }

  #publisher(topic: string): string[] {
    const target = ['-h', '127.0.0.1', '-p', String(this.#mqttPort)];
    return ['mosquitto_pub', ...target, '-q', '1', '-t', topic];
  }

  async #inside(...program: readonly string[]): Promise<void> {
    const [command = '', ...inside] = this.#spaces.hub;
    assert.equal(await spawnProcess(command, [...inside, ...program]).exited, 0);
  }

  async status(): Promise<StatusSnapshot> {
    const asked = heliograph(['status', '--json', '--data', this.#data], {}, this.#spaces.hub);
    await asked.exited;
    return JSON.parse(asked.lines.join('\n')) as StatusSnapshot;
  }

  /** Asks so often at most until the status is as it should be. */
  async until(holds: (now: StatusSnapshot) => boolean, triesMax: number): Promise<StatusSnapshot> {
    for (let tries = 0; tries < triesMax; tries++) {
      const now = await this.status();
      if (holds(now)) return now;
      await sleep(ASK_MS);
    }
    return assert.fail(`not reached: ${JSON.stringify((await this.status()).uplink)}`);
  }
}
