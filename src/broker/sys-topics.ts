/**
 * The part of `$SYS/broker/…` that people and monitoring know from Mosquitto: retained, said again only where
 * the value has changed.
 */
import type { Clock } from '../base/clock.ts';
import type { BrokerStat } from './counters.ts';

interface SysParts {
  readonly version: string;
  readonly clock: Clock;
  stat(): BrokerStat;
}

export class SysTopics {
  readonly #parts: SysParts;
  readonly #startMs: number;
  readonly #lastByName = new Map<string, string | number>();

  constructor(parts: SysParts) {
    this.#parts = parts;
    this.#startMs = parts.clock.monotonicMs();
  }

  /** Topics whose value is another than the last time, with the new value. */
  changed(): [topic: string, text: string][] {
    const changed: [string, string][] = [];
    for (const [name, value] of Object.entries(this.#values())) {
      if (this.#lastByName.get(name) === value) continue;
      this.#lastByName.set(name, value);
      changed.push([`$SYS/broker/${name}`, String(value)]);
    }
    return changed;
  }

  #values(): Record<string, string | number> {
    const stat = this.#parts.stat();
    const uptimeS = Math.floor((this.#parts.clock.monotonicMs() - this.#startMs) / 1000);
    return {
      version: this.#parts.version,
      uptime: `${uptimeS} seconds`,
      'clients/connected': stat.clients,
      'clients/disconnected': stat.sessions - stat.clients,
      'clients/total': stat.sessions,
      'clients/maximum': stat.clientsMax,
      'messages/received': stat.messagesIn,
      'messages/sent': stat.messagesOut,
      'messages/stored': stat.queued + stat.retained,
      'publish/messages/received': stat.messagesIn,
      'publish/messages/sent': stat.messagesOut,
      'publish/messages/dropped': stat.dropped + stat.cut,
      'bytes/received': stat.bytesIn,
      'bytes/sent': stat.bytesOut,
      'subscriptions/count': stat.subscriptions,
      'retained messages/count': stat.retained,
    };
  }
}
