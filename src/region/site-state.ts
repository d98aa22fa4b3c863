/**
 * The folded state of a site at a regional node with embedded storage. A disk that was full leaves the store unusable: it is opened
 * again when it is next asked for. A damaged one is put aside, for it may have readings from before the oldest batch that is kept;
 * the batches are stored anew when the site is opened.
 */
import { HubError } from '../base/errors.ts';
import { putAside } from '../store/put-aside.ts';
import { Store, type StoreOptions } from '../store/store.ts';

/** For the new one to begin with. */
const KEPT_BYTES = 64 << 20;

export class SiteState {
  readonly #options: StoreOptions;
  #store: Store;

  private constructor(options: StoreOptions) {
    this.#options = options;
    this.#store = this.#open();
  }

  /** Throws `HubError`: `store.failed`, `data.newer`. */
  static open(options: StoreOptions): SiteState {
    return new SiteState(options);
  }

  /** Throws `store.failed` where it has failed and cannot be opened again yet. */
  get store(): Store {
    if (this.#store.fault?.code === 'store.failed') {
      this.#store.close();
      this.#store = this.#open();
    }
    return this.#store;
  }

  /** What turned out to be damaged meanwhile is put aside: opening it again might not show it. */
  close(): void {
    this.#store.close();
    const { fault } = this.#store;
    if (fault?.code === 'store.damaged') this.#makeWay(fault);
  }

  #open(): Store {
    try {
      return Store.open(this.#options);
    } catch (error) {
      if (!(error instanceof HubError) || error.code !== 'store.damaged') throw error;
      this.#makeWay(error);
      return Store.open(this.#options);
    }
  }

  #makeWay({ message: reason }: HubError): void {
    const { files, path, log } = this.#options;
    const aside = putAside(files, path, KEPT_BYTES);
    if (aside === undefined) log.error('regional.store.removed', { path, reason });
    else log.error('regional.store.put-aside', { aside, reason });
  }
}
