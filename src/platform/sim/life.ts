/**
 * What a simulated process holds of the world: timers, a way to the broker, a look at the links. Once it is dead nothing of
 * it moves any more, whatever was still on its way, and what it waited for holds no memory.
 */
import type { Cancel, Timers } from '../../base/clock.ts';
import type { Links } from '../links/links.ts';
import type { MqttClient } from '../network/mqtt-client.ts';
import { SimCrash } from './files.ts';

interface SimLifeOptions {
  /** What looks around more often than this looks this often. */
  readonly periodMsMin?: number;
}

export class SimLife {
  readonly timers: Timers;
  #isAlive = true;
  /** Of all timers that may still fire. */
  readonly #waiting = new Set<Cancel>();

  constructor(timers: Timers, { periodMsMin = 0 }: SimLifeOptions = {}) {
    this.timers = {
      after: (delayMs, callback) => {
        const cancel = this.#kept(
          timers.after(delayMs, () => {
            this.#waiting.delete(cancel);
            this.#run(callback);
          }),
        );
        return cancel;
      },
      every: (periodMs, callback) =>
        this.#kept(timers.every(Math.max(periodMsMin, periodMs), () => this.#run(callback))),
      soon: (callback) => timers.soon(() => this.#run(callback)),
    };
  }

  /** What the process sees of a broker: no answer and no message once it is dead. */
  connectingBy(mqtt: MqttClient): MqttClient {
    return {
      connect: (options, handlers) =>
        this.#isAlive
          ? mqtt.connect(options, {
              onMessage: (topic, payload) => this.#run(() => handlers.onMessage(topic, payload)),
              onClose: (reason) => this.#run(() => handlers.onClose(reason)),
              onVain: (lineBytes) => this.#run(() => handlers.onVain?.(lineBytes)),
            })
          : new Promise(() => undefined),
    };
  }

  /** What it sees of the machine's links. */
  watching(links: Links): Links {
    return {
      read: () => links.read(),
      watch: (onChange) => this.#kept(links.watch(onChange)),
    };
  }

  end(): void {
    this.#isAlive = false;
    for (const cancel of this.#waiting) cancel();
    this.#waiting.clear();
  }

  #run(callback: () => unknown): void {
    if (!this.#isAlive) return;
    try {
      callback();
    } catch (error) {
      // A disk that died under the process ends it; everything else is a bug and ends the simulation.
      if (!(error instanceof SimCrash)) throw error;
      this.end();
    }
  }

  #kept(cancel: Cancel): Cancel {
    const once = (): void => {
      this.#waiting.delete(once);
      cancel();
    };
    this.#waiting.add(once);
    return once;
  }
}
