/** A hub's pull door over a journal in memory and a real store, and devices that pull from it by hand. */
import assert from 'node:assert/strict';

import { hexOf } from '../../../src/base/bytes.ts';
import { SILENT_LOG } from '../../../src/base/log.ts';
import { Replica } from '../../../src/client/view/replica.ts';
import { digestOf } from '../../../src/merge/state/digest.ts';
import type { StampedOp } from '../../../src/model/op.ts';
import { encodeOpEntry } from '../../../src/model/entry.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import {
  type Lapse,
  readDelta,
  type ReadDelta,
  type ReadPage,
} from '../../../src/protocol/delta-message.ts';
import { encodePull, type OpenPull } from '../../../src/protocol/pull-message.ts';
import { EVERYTHING, type Scope } from '../../../src/protocol/scope.ts';
import type { Store } from '../../../src/store/store.ts';
import { type PullFrom, PullDoor } from '../../../src/sync/pull-door.ts';
import { sha256Hasher } from '../../../src/store/sha256-hasher.ts';
import { DoorJournal } from '../memory/door-journal.ts';
import { HUB } from '../made/ops.ts';
import { openStore } from '../memory/stores.ts';

const FROM: PullFrom = { role: 'technician', mayRead: () => true, rights: () => [] };

export class PullSite {
  readonly clock = new SimClock(1_800_000_000_000);
  readonly journal = new DoorJournal();
  store: Store;
  /** Where the word that something is folded comes later than the folding. */
  applying: Promise<void> | undefined;
  readonly door: PullDoor;
  /** By topic, what was sent and nobody has read. */
  readonly sent = new Map<string, Uint8Array[]>();
  /** Topics of all that was sent, in its order. */
  readonly order: string[] = [];

  constructor(dir: string) {
    this.store = openStore(dir);
    this.door = new PullDoor({
      hub: HUB,
      journal: this.journal,
      source: () => this.store.reader,
      appliedLsn: () => this.store.appliedLsn,
      whenApplied: () => this.applying ?? Promise.resolve(this.fold()),
      now: () => ({ ms: this.clock.wallMs(), counter: 0 }),
      publish: (topic, payload) => {
        this.order.push(topic);
        const waiting = this.sent.get(topic);
        if (waiting === undefined) this.sent.set(topic, [payload]);
        else waiting.push(payload);
      },
      clock: this.clock,
      timers: this.clock,
      log: SILENT_LOG,
    });
  }

  /** Journals ops; they are durable, and not folded yet. */
  journalOps(ops: readonly StampedOp[]): void {
    for (const { bytes, stamp } of ops) this.journal.append(encodeOpEntry(bytes, stamp), 0);
    this.journal.sync();
  }

  /** Folds all that is durable. */
  fold(): void {
    const cursor = this.journal.cursor(this.store.appliedLsn + 1);
    for (let next = cursor.next(); next !== undefined; next = cursor.next()) {
      this.store.stageEntry(next.lsn, next.entry);
    }
  }

  take(ops: readonly StampedOp[]): void {
    this.journalOps(ops);
    this.fold();
  }

  async settle(): Promise<void> {
    await this.clock.advance(100);
  }

  /** What was sent to the device since the last call. */
  read(device: string): ReadDelta[] {
    const topic = `sync/${device}/delta`;
    const messages = this.sent.get(topic) ?? [];
    this.sent.delete(topic);
    return messages.map((bytes) => readDelta(bytes));
  }

  close(): void {
    this.door.close();
    this.store.close();
  }
}

/** A device that keeps what it gets and answers when told to. */
export class PullingDevice {
  replica = new Replica();
  readonly pages: ReadPage[] = [];
  readonly lapses: Lapse[] = [];
  bytesSent = 0;
  readonly #site: PullSite;
  readonly #name: string;
  readonly #scope: Scope;
  readonly #from: PullFrom;
  #pull = 0;
  resume: Uint8Array | undefined;
  #taken = 0;

  constructor(site: PullSite, name: string, scope: Scope = EVERYTHING, from: PullFrom = FROM) {
    this.#site = site;
    this.#name = name;
    this.#scope = scope;
    this.#from = from;
  }

  open(parts: Partial<OpenPull> = {}): void {
    this.#pull += 1;
    this.#taken = 0;
    const vector = this.replica.vector;
    const open: OpenPull = {
      kind: 'open',
      pull: this.#pull,
      credit: 4,
      scope: this.#scope,
      vector,
    };
    const resume = this.resume === undefined ? {} : { resume: this.resume };
    this.send(encodePull({ ...open, ...resume, ...parts }));
  }

  send(payload: Uint8Array): void {
    this.bytesSent += payload.length;
    this.#site.door.handle({ topic: `sync/${this.#name}/pull`, payload, from: this.#from });
  }

  /** Keeps what has come; `answers` says whether the hub is told. */
  receive(answers = true): void {
    for (const message of this.#site.read(this.#name)) {
      if (message.pull !== this.#pull) continue;
      if (message.kind === 'lapse') this.lapses.push(message);
      if (message.kind !== 'page') continue;
      assert.equal(message.page, (this.#taken += 1), 'pages come in order');
      this.pages.push(message);
      this.replica.take(message);
      if (message.stage !== 'live' || message.resume !== undefined) this.resume = message.resume;
      if (answers) this.send(encodePull({ kind: 'taken', pull: this.#pull, page: message.page }));
    }
  }

  /** Goes on until nothing comes any more. */
  async catchUp(): Promise<void> {
    for (let quiet = 0; quiet < 2;) {
      await this.#site.settle();
      const before = this.pages.length;
      this.receive();
      quiet = this.pages.length === before ? quiet + 1 : 0;
    }
  }

  digest(): string {
    return hexOf(digestOf(this.replica.state, sha256Hasher()).digest);
  }
}
