/** One life of the regional node: the real one, on a disk of its own; what it stores is told to the books. */
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import { inlineCompressor } from '../../batch/compression.ts';
import { batchSealerTo } from '../../keys/batch-seal.ts';
import { Identity, verifyEd25519 } from '../../keys/identity.ts';
import type { StampedOp } from '../../model/op.ts';
import type { Files } from '../../platform/files/files.ts';
import type { MqttClient } from '../../platform/network/mqtt-client.ts';
import type { SimClock } from '../../platform/sim/clock.ts';
import type { SimLife } from '../../platform/sim/life.ts';
import { EmbeddedStorage } from '../../regional/embedded/embedded-storage.ts';
import { RegionalNode } from '../../regional/regional-node.ts';
import type { SiteStore } from '../../regional/embedded/site-store.ts';
import { Store } from '../../store/store.ts';
import { PROGRAM_VERSION } from '../../versions.ts';
import { SITE_NAME } from './hub-life.ts';
import { processLife } from './process-life.ts';

export interface RegionWorld {
  readonly clock: SimClock;
  readonly random: Random;
  readonly files: Files;
  readonly dataDir: string;
  readonly link: MqttClient;
  readonly log: Log;
  readonly onStored: (stamped: StampedOp) => void;
}

/** The archive of a month would fill the pilot's memory. */
const LIMITS = { archiveBytesMax: 4 << 20, archiveBatchesMax: 200 };

export class RegionLife {
  readonly node: RegionalNode;
  readonly #life: SimLife;
  readonly #dataDir: string;
  readonly #stores: ReadonlyMap<string, Store>;
  readonly #failures: readonly unknown[];

  private constructor(
    node: RegionalNode,
    life: SimLife,
    dataDir: string,
    stores: ReadonlyMap<string, Store>,
    failures: readonly unknown[],
  ) {
    this.node = node;
    this.#life = life;
    this.#dataDir = dataDir;
    this.#stores = stores;
    this.#failures = failures;
  }

  /** Why the node cannot go on; undefined while it can. */
  get failure(): unknown {
    return this.#failures[0];
  }

  static async open(world: RegionWorld): Promise<RegionLife> {
    const { clock, random, files, dataDir, link, log } = world;
    const life = processLife(clock);
    const stores = new Map<string, Store>();
    files.makeDir(dataDir);
    const failures: unknown[] = [];
    const node = await RegionalNode.open({
      clock,
      random,
      log,
      timers: life.timers,
      mqtt: life.connectingBy(link),
      broker: { url: 'mqtt://region.pilot:1883' },
      storage: new EmbeddedStorage({
        files,
        log,
        clock,
        timers: life.timers,
        dir: dataDir,
        openStore: (path) => {
          // No power is ever cut to the real folder of the database: what a commit gave to the system stays there.
          const store = Store.open({
            path,
            files,
            log,
            durability: 'replayable',
            readingsDays: 30,
          });
          stores.set(path, store);
          return told(store, world.onStored);
        },
        limits: LIMITS,
      }),
      sealerTo: (sealKey) => batchSealerTo(sealKey, random),
      signer: Identity.open({ files, path: `${dataDir}/keys/region.pem`, random }),
      verify: verifyEd25519,
      software: PROGRAM_VERSION,
      compressor: inlineCompressor,
      limits: LIMITS,
      onFatal: (error) => failures.push(error),
    });
    return new RegionLife(node, life, dataDir, stores, failures);
  }

  /** State of the site as it is stored here; undefined before the first batch. */
  digest(): string | undefined {
    const path = `${this.#dataDir}/sites/${SITE_NAME}/state.db`;
    return this.#stores.get(path)?.digest().digest;
  }

  crash(): void {
    this.#life.end();
    for (const store of this.#stores.values()) store.close();
  }

  async close(): Promise<void> {
    await this.node.close();
  }
}

function told(store: Store, onStored: RegionWorld['onStored']): SiteStore {
  return {
    get checkpointLsn() {
      return store.checkpointLsn;
    },
    apply: (entries, checkpointLsn) => {
      store.apply(entries, checkpointLsn);
      for (const { stamped } of entries) onStored(stamped);
    },
    prune: (nowMs, chunksMax) => store.prune(nowMs, chunksMax),
    vector: () => store.vector(),
    digestInSteps: () => store.digestInSteps(),
    readings: (query) => store.readings(query),
    close: () => store.close(),
  };
}
