/**
 * The hub's state: the store and the applier that follows the journal into it. A damaged or failing store
 * is no reason to stop: it is removed, opened anew and folded from the journal again, while devices are
 * served as before.
 */
import type { Clock } from './base/clock.ts';
import { HubError } from './base/errors.ts';
import type { Config } from './config-schema.ts';
import type { HubPaths } from './hub-data.ts';
import { Applier } from './ingest/applier.ts';
import type { Journal } from './journal/journal.ts';
import type { Machine } from './machine.ts';
import { type StateDigest, Store, type StoreOptions } from './store/store.ts';

export interface HubStoreOptions {
  readonly config: Config;
  readonly machine: Machine;
  /** Of the site: readings are as old as it says. */
  readonly clock: Clock;
  readonly paths: HubPaths;
  readonly journal: Journal;
}

/** A store that fails again so soon is left alone: the card is at fault, not the file. */
const REOPEN_MS = 60_000;

export class HubStore {
  readonly #options: HubStoreOptions;
  #state: Store;
  #applier: Applier | undefined;
  #reopenedMs = -Infinity;
  #fault: HubError | undefined;

  private constructor(options: HubStoreOptions) {
    this.#options = options;
    this.#state = openState(options);
  }

  static open(options: HubStoreOptions): HubStore {
    return new HubStore(options);
  }

  /** The tables as they are now. */
  get state(): Store {
    return this.#state;
  }

  get appliedLsn(): number {
    return this.#state.checkpointLsn;
  }

  get fault(): HubError | undefined {
    return this.#fault;
  }

  /** Begins to fold what the journal has. */
  follow(): void {
    const { journal, machine, clock } = this.#options;
    const { timers, log } = machine;
    this.#applier = Applier.start({
      ...{ journal, timers, log, store: this.#state, clock },
      onFault: (fault) => this.#recover(fault),
    });
  }

  /** Digest of the state with everything that is durable at this moment. */
  async digest(): Promise<StateDigest> {
    await this.#applier?.caughtUp(this.#options.journal.durableLsn);
    return this.#state.digest();
  }

  /** Makes the tables survive a power cut; all up to the LSN it resolves to is in them. */
  async settle(): Promise<number> {
    return this.#applier === undefined ? 0 : this.#applier.settle();
  }

  async close(): Promise<void> {
    await this.#applier?.stop();
    this.#state.close();
  }

  #recover(fault: HubError): void {
    const { machine } = this.#options;
    const nowMs = machine.clock.monotonicMs();
    this.#fault = fault;
    this.#applier = undefined;
    if (nowMs - this.#reopenedMs < REOPEN_MS) return;
    this.#reopenedMs = nowMs;
    this.#state.close();
    this.#state = openState(this.#options);
    this.#fault = undefined;
    this.follow();
  }
}

function openState({ config, machine, paths }: HubStoreOptions): Store {
  const { files, log } = machine;
  const options: StoreOptions = {
    ...{ files, log, path: paths.state, readingsDays: config.store.readingsDays },
  };
  try {
    return Store.open(options);
  } catch (error) {
    if (!(error instanceof HubError) || error.code !== 'store.damaged') throw error;
    log.warn('store.removed', { path: paths.state, reason: error.message });
    Store.remove(files, paths.state);
    return Store.open(options);
  }
}
