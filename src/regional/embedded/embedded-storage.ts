/** Storage of one process: a folder of sites (embedded-site.ts). */
import { isSiteName } from '../../batch/wire/topics.ts';
import { RetentionClock } from '../history/retention-clock.ts';
import type { RegionStorage, SiteKeeper, SiteStorage } from '../site-storage.ts';
import { type EmbeddedOptions, EmbeddedSite } from './embedded-site.ts';

export class EmbeddedStorage implements RegionStorage {
  readonly #options: EmbeddedOptions;
  readonly #retention: RetentionClock;

  constructor(options: EmbeddedOptions) {
    this.#options = options;
    this.#retention = new RetentionClock(options.clock);
    options.files.makeDir(`${options.dir}/sites`);
  }

  async sites(): Promise<string[]> {
    const { files, dir } = this.#options;
    return files.list(`${dir}/sites`).filter((name) => isSiteName(name));
  }

  openSite(name: string, keeper: SiteKeeper): Promise<SiteStorage> {
    return EmbeddedSite.open(name, this.#options, this.#retention, keeper);
  }

  async close(): Promise<void> {
    // Each site closes its own.
  }
}
