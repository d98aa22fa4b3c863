/** A device's storage in memory: it outlives the device, loses what was not synced, and fails when told to. */
import type { DeviceStorage } from '../../../src/client/storage/storage.ts';

export class MemoryStorage implements DeviceStorage {
  kept: readonly Uint8Array[] = [];
  state: Uint8Array | undefined;
  damage: string | undefined;
  /** Thrown by the next writes. */
  failure: Error | undefined;
  /** Writes wait until the test lets them. */
  gate: Promise<void> = Promise.resolve();
  replaced = 0;

  get entries(): readonly Uint8Array[] {
    return this.kept;
  }

  async append(entries: readonly Uint8Array[]): Promise<void> {
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
    this.kept = [...this.kept, ...entries];
  }

  async replace(entries: readonly Uint8Array[]): Promise<void> {
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
    this.replaced += 1;
    this.kept = entries;
  }

  /** What a process that starts after a crash finds; what the dead one still had under way never lands in it. */
  afterCrash(): MemoryStorage {
    const left = new MemoryStorage();
    left.kept = this.kept;
    left.state = this.state;
    return left;
  }

  saveState(state: Uint8Array): Promise<void> {
    this.state = state;
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
