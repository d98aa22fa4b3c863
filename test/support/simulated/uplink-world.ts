/**
 * A hub's uplink and a regional node over a simulated broker, on simulated disks and in simulated time; either side
 * can die and come back.
 */
import assert from 'node:assert/strict';

import type { Log, LogFields } from '../../../src/base/log.ts';
import { inlineCompressor } from '../../../src/batch/compression.ts';
import { originOfPublicKey } from '../../../src/hashes.ts';
import {
  type BatchOpener,
  batchOpener,
  batchRecipient,
  batchSealer,
  batchSealerTo,
  type OperatorKeyPair,
} from '../../../src/keys/batch-seal.ts';
import { verifyEd25519 } from '../../../src/keys/identity.ts';
import { Ledger } from '../../../src/ledger/ledger.ts';
import { CLASSES } from '../../../src/model/class.ts';
import { decodeEntry } from '../../../src/model/entry.ts';
import type { StampedOp } from '../../../src/model/op.ts';
import { type Lane, laneOf } from '../../../src/model/origin.ts';
import { seqIn, type VersionVector } from '../../../src/model/version-vector.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SimCrash, SimFiles } from '../../../src/platform/sim/files.ts';
import { SimLife } from '../../../src/platform/sim/life.ts';
import type { MqttSessionOptions } from '../../../src/platform/network/mqtt-client.ts';
import { SimMqttBroker, type SimMqttClient } from '../../../src/platform/sim/mqtt-client.ts';
import type { LinkTable } from '../../../src/platform/links/links.ts';
import { SimLinks } from '../../../src/platform/sim/links.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import { EmbeddedStorage } from '../../../src/regional/embedded/embedded-storage.ts';
import { RegionalNode } from '../../../src/regional/regional-node.ts';
import type { RegionalLimits } from '../../../src/regional/limits.ts';
import type { DownlinkPort } from '../../../src/uplink/session/downlink.ts';
import type { UplinkLimits } from '../../../src/uplink/options.ts';
import type { UplinkDecision, UplinkLogEntry } from '../../../src/uplink/ports.ts';
import { LinkTracker } from '../../../src/uplink/links/link-tracker.ts';
import { Uplink } from '../../../src/uplink/uplink.ts';
import { HUB, REGION, SITE, START_MS } from '../made/batches.ts';
import { MemoryJournal } from '../memory/memory-journal.ts';
import { MemoryStore } from '../memory/memory-store.ts';

export const ALL_CLASSES: UplinkDecision = { allowed: CLASSES, riding: CLASSES, why: 'test' };
export const NO_CLASSES: UplinkDecision = { allowed: [], riding: [], why: 'night' };

export interface WorldOptions {
  readonly seed?: number;
  readonly uplink?: Partial<UplinkLimits>;
  readonly regional?: Partial<RegionalLimits>;
  /** The hub has a ledger and tells the region of it. */
  readonly tellsHistory?: boolean;
  /** What the hub's machine tells of its links; without it, it may always try. */
  readonly links?: LinkTable;
  /** The hub takes what comes down. */
  readonly takesDown?: boolean;
  /** Whom the broker lets in; everybody without it. */
  readonly accepts?: (options: MqttSessionOptions) => boolean;
  /** False: it has no key for it, as hubs of earlier versions. */
  readonly hidesDown?: boolean;
}

/** What a hub may be told to do with its batches, and a region to open and to store. */
export interface Terms {
  operatorKey?: OperatorKeyPair;
  jurisdiction?: string;
  heldKeys?: readonly OperatorKeyPair[];
  accepts?: readonly string[];
}

/** A log that keeps its lines. */
export class KeptLog implements Log {
  readonly lines: { event: string; fields: LogFields }[] = [];
  debug = this.#keep;
  info = this.#keep;
  warn = this.#keep;
  error = this.#keep;

  get #keep(): (event: string, fields?: LogFields) => void {
    return (event, fields = {}) => void this.lines.push({ event, fields });
  }

  count(event: string): number {
    return this.lines.filter((line) => line.event === event).length;
  }
}

export class UplinkWorld {
  readonly clock = new SimClock(START_MS);
  readonly random: SeededRandom;
  readonly broker: SimMqttBroker;
  readonly hubLink: SimMqttClient;
  readonly regionLink: SimMqttClient;
  hubFiles: SimFiles;
  readonly regionFiles: SimFiles;
  journal = new MemoryJournal();
  readonly stores = new Map<string, MemoryStore>();
  readonly log = new KeptLog();
  readonly syncLines: UplinkLogEntry[] = [];
  readonly fatal: unknown[] = [];
  /** What the audit logs of both say of nothing being sent. */
  readonly hindrances: { by: 'hub' | 'region'; why: string }[] = [];
  /** Ops that the region has handed down, in the order of the journal. */
  readonly cameDown: StampedOp[] = [];
  /** Why the hub does not take something that comes down. */
  refusalOf: (stamped: StampedOp) => string | undefined = () => undefined;
  /** Takes effect at the next start. */
  terms: Terms = {};
  decision: UplinkDecision = ALL_CLASSES;
  regionSigner = REGION;
  uplink: Uplink | undefined;
  readonly links: SimLinks;
  tracker: LinkTracker | undefined;
  ledger: Ledger | undefined;
  region: RegionalNode | undefined;
  readonly #options: WorldOptions;
  #hubLife: SimLife | undefined;
  #regionLife: SimLife | undefined;

  constructor(options: WorldOptions = {}) {
    this.#options = options;
    this.random = new SeededRandom(options.seed ?? 1);
    const { clock: timers, random } = this;
    this.links = new SimLinks(timers, options.links);
    this.broker = new SimMqttBroker({
      timers,
      random,
      ...(options.accepts && { accepts: options.accepts }),
    });
    this.hubLink = this.broker.client({ delayMs: 20 });
    this.regionLink = this.broker.client({ delayMs: 5 });
    this.hubFiles = new SimFiles({ random });
    this.regionFiles = new SimFiles({ random });
  }

  startHub(): Uplink {
    const { clock, random, log } = this;
    const life = new SimLife(clock);
    this.#hubLife = life;
    this.tracker = this.#options.links === undefined ? undefined : this.#track();
    this.uplink = Uplink.open({
      journal: this.journal,
      files: this.hubFiles,
      dir: 'hub/uplink',
      site: SITE,
      signer: HUB,
      history: this.#options.tellsHistory === true ? this.startLedger(life) : undefined,
      sealer: this.terms.operatorKey && batchSealer(this.terms.operatorKey.publicKey, this.random),
      jurisdiction: this.terms.jurisdiction,
      verify: verifyEd25519,
      mqtt: life.connectingBy(this.hubLink),
      broker: { url: 'mqtt://sim' },
      decide: () => this.decision,
      link: () => this.tracker?.view().kind ?? 'cellular',
      way: this.tracker,
      syncLog: { append: (entry) => void this.syncLines.push(entry) },
      audit: {
        batched: () => undefined,
        receipted: () => undefined,
        refused: () => undefined,
        hindered: (why) => void this.hindrances.push({ by: 'hub', why }),
      },
      energy: {
        transferWh: () => 0.001,
        sessionWh: () => 0.03,
        linkBytesToday: () =>
          this.syncLines
            .filter(({ event }) => event === 'session.close')
            .reduce((sum, { bytes = 0 }) => sum + bytes, 0),
      },
      clock,
      timers: life.timers,
      linkTimers: life.timers,
      random,
      log,
      software: 'test',
      recipient: this.#options.hidesDown === false ? undefined : batchRecipient(HUB),
      downlink: this.#options.takesDown === true ? this.#downlinkPort() : undefined,
      limits: { seal: { opsMax: 50, opBytesMax: 1 << 20 }, ...this.#options.uplink },
      compressor: inlineCompressor,
      onFatal: (error) => this.#take(error, life),
    });
    return this.uplink;
  }

  #track(): LinkTracker {
    const { links, clock, log } = this;
    return new LinkTracker({ links, host: 'region.example', clock, log });
  }

  /** As the door does it: lanes without gaps, each op once. */
  #downlinkPort(): DownlinkPort {
    return {
      vector: () => this.#vector(),
      take: async (ops) => {
        const taken: StampedOp[] = [];
        const reasons = new Set<string>();
        let hasGap = false;
        const vector = new Map(this.#vector());
        for (const stamped of ops) {
          const lane = laneOf(stamped.op.origin, stamped.op.class);
          const known = seqIn(vector, lane);
          if (stamped.op.seq > known + 1) hasGap = true;
          if (stamped.op.seq !== known + 1) continue;
          const refusal = this.refusalOf(stamped);
          if (refusal !== undefined) {
            reasons.add(refusal);
            continue;
          }
          vector.set(lane, stamped.op.seq);
          taken.push({ ...stamped, bytes: stamped.bytes.slice() });
        }
        this.cameDown.push(...taken);
        this.journal.appendCopies(taken);
        return { reasons: [...reasons], hasGap };
      },
    };
  }

  #vector(): VersionVector {
    const vector = new Map<Lane, number>();
    const cursor = this.journal.cursor(1);
    for (let item = cursor.next(); item !== undefined; item = cursor.next()) {
      const entry = decodeEntry(item.entry);
      if (entry.type !== 'op') continue;
      const { op } = entry.stamped;
      vector.set(laneOf(op.origin, op.class), op.seq);
    }
    return vector;
  }

  startLedger(life: SimLife): Ledger {
    this.ledger = Ledger.open({
      journal: this.journal,
      files: this.hubFiles,
      dir: 'hub/ledger',
      hub: HUB.id,
      signer: HUB,
      verify: verifyEd25519,
      timers: life.timers,
      log: this.log,
      onFatal: (error) => this.#take(error, life),
    });
    return this.ledger;
  }

  async startRegion(): Promise<RegionalNode> {
    const { clock, random, log } = this;
    const life = new SimLife(clock);
    this.#regionLife = life;
    this.region = await this.until(
      RegionalNode.open({
        mqtt: life.connectingBy(this.regionLink),
        broker: { url: 'mqtt://sim' },
        storage: new EmbeddedStorage({
          files: this.regionFiles,
          dir: 'region',
          self: originOfPublicKey(this.regionSigner.publicKey),
          openStore: (path) => {
            const store = this.stores.get(path) ?? new MemoryStore();
            this.stores.set(path, store);
            return store;
          },
          clock,
          timers: life.timers,
          log,
          limits: this.#options.regional ?? {},
        }),
        audit: {
          stored: () => undefined,
          refused: () => undefined,
          hindered: (_of, why) => void this.hindrances.push({ by: 'region', why }),
        },
        opener: this.#opener(),
        sealerTo: (sealKey) => batchSealerTo(sealKey, random),
        jurisdictions: this.terms.accepts,
        signer: this.regionSigner,
        verify: verifyEd25519,
        clock,
        timers: life.timers,
        random,
        log,
        software: 'test',
        limits: this.#options.regional ?? {},
        compressor: inlineCompressor,
        onFatal: (error) => this.#take(error, life),
      }),
    );
    return this.region;
  }

  #opener(): BatchOpener | undefined {
    const { heldKeys } = this.terms;
    const pems = heldKeys?.map(({ privatePem }) => privatePem);
    return pems === undefined ? undefined : batchOpener(pems.join('\n'), 'test');
  }

  /** Lets time pass until the promise is settled. */
  async until<T>(promise: Promise<T>): Promise<T> {
    const waiting = { isOver: false };
    const settle = (): void => {
      waiting.isOver = true;
    };
    promise.then(settle, settle);
    for (let i = 0; i < 1_000 && !waiting.isOver; i++) await this.clock.advance(5);
    return promise;
  }

  /** Ends the hub's process (or its power, with what was not synced). */
  crashHub(how: 'kill' | 'powerCut'): void {
    this.#hubLife?.end();
    this.hubLink.cut();
    this.journal.forgetListeners();
    this.hubFiles[how]();
    this.uplink = undefined;
  }

  crashRegion(how: 'kill' | 'powerCut'): void {
    this.#regionLife?.end();
    this.regionLink.cut();
    this.regionFiles[how]();
    this.region = undefined;
  }

  async stop(): Promise<void> {
    if (this.uplink !== undefined) await this.until(this.uplink.close());
    if (this.region !== undefined) await this.until(this.region.close());
    this.tracker?.close();
    this.journal.forgetListeners();
  }

  get store(): MemoryStore {
    const store = this.stores.get(`region/sites/${SITE}/state.db`);
    assert.ok(store, 'the region has met the site');
    return store;
  }

  /** All that waits has its receipt. */
  get isDelivered(): boolean {
    const backlog = this.uplink?.backlog();
    if (backlog === undefined || this.uplink?.receiptedLsn !== this.journal.lastLsn) return false;
    return CLASSES.every((opClass) => backlog[opClass].ops === 0);
  }

  /** Lets time pass until everything is delivered; fails where that takes longer. */
  async deliver(withinMs = 3_600_000): Promise<void> {
    const endMs = this.clock.monotonicMs() + withinMs;
    await this.clock.advance(200);
    while (!this.isDelivered && this.clock.monotonicMs() < endMs) await this.clock.advance(250);
    assert.ok(this.isDelivered, `delivered within ${withinMs} ms`);
  }

  #take(error: unknown, life: SimLife): void {
    if (error instanceof SimCrash) life.end();
    else this.fatal.push(error);
  }
}
