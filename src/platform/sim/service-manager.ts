/** A service manager that remembers what it was told, in order: `READY=1`, `STATUS=…`. */
import type { ServiceManager } from '../systemd.ts';

export class SimServiceManager implements ServiceManager {
  readonly isThere = true;
  readonly watchdogMs: number | undefined;
  readonly said: string[] = [];

  constructor(watchdogMs?: number) {
    this.watchdogMs = watchdogMs;
  }

  ready(): void {
    this.said.push('READY=1');
  }

  stopping(): void {
    this.said.push('STOPPING=1');
  }

  status(text: string): void {
    this.said.push(`STATUS=${text.replaceAll(/\s+/g, ' ')}`);
  }

  watchdog(): void {
    this.said.push('WATCHDOG=1');
  }
}
