/**
 * What a simulated process holds of the world: timers and a way to the broker. Once the process is dead, nothing
 * of it moves any more, whatever was still on its way.
 */
import type { Cancel, Timers } from '../../base/clock.ts';
import type { Links } from '../../platform/links/links.ts';
import type { MqttClient } from '../../platform/network/mqtt-client.ts';
import { SimCrash } from '../../platform/sim/files.ts';

/**
 * What looks around every second or ten (keepalive of sockets that nobody has here, room on the card, the battery's
 * gauge) looks as often as the power brain decides here instead: it was half of a month's work and decided nothing.
 */
const PERIOD_MS_MIN = 60_000;

export class Life {
  readonly timers: Timers;
  readonly mqtt: MqttClient;
  #isAlive = true;
  /** Of all timers that may still fire: what a dead process waits for would keep all its memory until then. */
  readonly #waiting = new Set<Cancel>();

  constructor(timers: Timers, mqtt: MqttClient) {
    const ifAlive = (callback: () => unknown) => (): void => {
      if (!this.#isAlive) return;
      try {
        callback();
      } catch (error) {
        // A disk that died under the process ends it; everything else is a bug and ends the pilot.
        if (!(error instanceof SimCrash)) throw error;
        this.#isAlive = false;
      }
    };
    this.timers = {
      after: (delayMs, callback) => {
        const cancel = this.#kept(
          timers.after(delayMs, () => {
            this.#waiting.delete(cancel);
            ifAlive(callback)();
          }),
        );
        return cancel;
      },
      every: (periodMs, callback) =>
        this.#kept(timers.every(Math.max(PERIOD_MS_MIN, periodMs), ifAlive(callback))),
      soon: (callback) => timers.soon(ifAlive(callback)),
    };
    this.mqtt = {
      connect: (options, handlers) =>
        this.#isAlive
          ? mqtt.connect(options, {
              onMessage: (topic, payload) => ifAlive(() => handlers.onMessage(topic, payload))(),
              onClose: (reason) => ifAlive(() => handlers.onClose(reason))(),
            })
          : new Promise(() => undefined),
    };
  }

  /** What a process sees of the machine's links. */
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

  #kept(cancel: Cancel): Cancel {
    const once = (): void => {
      this.#waiting.delete(once);
      cancel();
    };
    this.#waiting.add(once);
    return once;
  }
}
