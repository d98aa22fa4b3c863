/**
 * Hubs of a site in simulated time: real doors and real peer books, journals in memory whose unsynced end a kill takes
 * away, and lines between them that take their time and break.
 */
import { must } from '../../../src/base/assert.ts';
import { hexOf, utf8 } from '../../../src/base/bytes.ts';
import { pause } from '../../../src/base/clock.ts';
import { HubError } from '../../../src/base/errors.ts';
import { SILENT_LOG } from '../../../src/base/log.ts';
import { CborWriter } from '../../../src/codec/writer.ts';
import type { OpsFrom } from '../../../src/ingest/door/device-ops.ts';
import { Door } from '../../../src/ingest/door/door.ts';
import { findHoles, type ToldHole } from '../../../src/ingest/door/hole-book.ts';
import { digestOf } from '../../../src/merge/state/digest.ts';
import { fold, restamp, unfoldable } from '../../../src/merge/fold.ts';
import { MemoryState } from '../../../src/merge/state/memory-state.ts';
import { againIn } from '../../../src/merge/op-again.ts';
import { textOfOpId } from '../../../src/merge/op-id.ts';
import { stampsIn } from '../../../src/merge/op-stamps.ts';
import type { OpClass } from '../../../src/model/class.ts';
import { joinItem, stateItemsIn } from '../../../src/merge/state/state-entry.ts';
import { decodeEntry } from '../../../src/model/entry.ts';
import { heldIn } from '../../../src/model/held.ts';
import { HlcClock } from '../../../src/model/hlc.ts';
import { encodeOp, type Op, type StampedOp } from '../../../src/model/op.ts';
import { laneOf, type Origin } from '../../../src/model/origin.ts';
import { HubStates } from '../../../src/hub/sync/states.ts';
import { Identity, verifyEd25519 } from '../../../src/keys/identity.ts';
import { SimClock } from '../../../src/platform/sim/clock.ts';
import { SimFiles } from '../../../src/platform/sim/files.ts';
import { SeededRandom } from '../../../src/platform/sim/random.ts';
import type { PeerPolicy } from '../../../src/sync/peers/contract.ts';
import { type LineHandlers, PeerBook, type PeerLine } from '../../../src/sync/peers/peer-book.ts';
import { writeSnapshot } from '../../../src/snapshot/snapshot-file.ts';
import { SeenOps } from '../../../src/store/folding/seen-ops.ts';
import { sha256Hasher } from '../../../src/store/sha256-hasher.ts';
import { DoorJournal } from '../memory/door-journal.ts';
import { itemsOfState } from '../made/state-items.ts';
import { stampsOfState } from './peer-stamps.ts';

const DELAY_MS_MAX = 40;
/** What nobody can read. */
const DAMAGED = Uint8Array.of(0xff);
const ALL: PeerPolicy = { classes: new Set<OpClass>([0, 1, 2, 3, 4, 5]), gatherMs: 0 };

interface Line {
  readonly ends: readonly [SimHub, SimHub];
  cut(reason: string): void;
}

export class PeerSite {
  readonly clock = new SimClock(1_800_000_000_000);
  readonly random: SeededRandom;
  readonly hubs: SimHub[];
  readonly lines = new Set<Line>();
  readonly #cut = new Set<string>();
  messages = 0;

  constructor(seed: number, count: number) {
    this.random = new SeededRandom(seed);
    this.hubs = Array.from({ length: count }, (_, index) => new SimHub(this, index));
  }

  hub(index: number): SimHub {
    return must(this.hubs[index], 'such a hub');
  }

  /** Whether two hubs can reach each other. */
  setCut(a: number, b: number, isCut: boolean): void {
    for (const name of [`${a}-${b}`, `${b}-${a}`]) {
      if (isCut) this.#cut.add(name);
      else this.#cut.delete(name);
    }
    for (const line of this.lines) {
      const [x, y] = line.ends;
      if (this.#cut.has(`${x.index}-${y.index}`)) line.cut('the line broke');
    }
  }

  dial(from: SimHub, to: SimHub, handlers: LineHandlers): Promise<PeerLine> {
    if (!to.isUp || this.#cut.has(`${from.index}-${to.index}`)) {
      return Promise.reject(new HubError('uplink.unreachable', 'no answer'));
    }
    let isOpen = true;
    const close = (reason: string): void => {
      if (!isOpen) return;
      isOpen = false;
      this.lines.delete(line);
      to.answers.delete(from.name);
      handlers.onClose(reason);
    };
    const line: Line = { ends: [from, to], cut: close };
    this.lines.add(line);
    const deliver = this.#inOrder(() => isOpen);
    const answer = this.#inOrder(() => isOpen);
    to.answers.set(from.name, (bytes) => answer(() => handlers.onMessage(bytes)));
    return Promise.resolve({
      send: (bytes) => deliver(() => to.book?.heard(from.name, bytes)),
      close: () => close('closed by us'),
    });
  }

  /** What one side says arrives late, and in order. */
  #inOrder(isOpen: () => boolean): (run: () => void) => void {
    let freeMs = 0;
    return (run) => {
      this.messages += 1;
      const nowMs = this.clock.monotonicMs();
      freeMs = Math.max(freeMs, nowMs + this.random.fraction() * DELAY_MS_MAX);
      this.clock.after(freeMs - nowMs, () => {
        if (isOpen()) run();
      });
    };
  }
}

export class SimHub {
  readonly index: number;
  readonly id: Origin;
  readonly name: string;
  readonly answers = new Map<string, (bytes: Uint8Array) => void>();
  readonly targets: number[] = [];
  /** How wrong its clock is; from the next start on. */
  skewMs = 0;
  journal = new DoorJournal();
  door: Door;
  book: PeerBook | undefined;
  policy: PeerPolicy | undefined = ALL;
  /** What was told of holes, as a file keeps it. */
  #told: readonly ToldHole[] = [];
  /** Where its snapshot lies, and states of others on their way. */
  readonly files: SimFiles;
  readonly #identity: Identity;
  #states: HubStates | undefined;
  readonly #site: PeerSite;

  constructor(site: PeerSite, index: number) {
    this.#site = site;
    this.index = index;
    this.#identity = Identity.fromSeed(new Uint8Array(32).fill(index + 1));
    this.id = this.#identity.id;
    this.files = new SimFiles({ random: site.random });
    this.files.makeDir('/hub');
    this.name = `hub-${this.id}`;
    this.door = this.#openDoor();
    this.start();
  }

  get isUp(): boolean {
    return this.book !== undefined;
  }

  dials(...targets: number[]): void {
    this.targets.push(...targets);
    for (const target of targets) this.book?.add(`${target}`);
  }

  /** The card forgets these entries, though they were acknowledged. */
  damage(fromLsn: number, toLsn: number): void {
    for (let lsn = fromLsn; lsn <= toLsn; lsn++) this.journal.entries[lsn - 1] = DAMAGED;
  }

  start(): void {
    const { clock, random } = this.#site;
    this.door = this.#openDoor();
    const { journal } = this;
    // So small a journal is looked through before this returns.
    void findHoles(journal, this.door.vector(), this.door.holes, clock);
    const portOfJournal = Object.assign(Object.create(journal) as DoorJournal, {
      append: (entry: Uint8Array, lingerMs: number) => journal.append(entry, lingerMs),
      onDurable: (listener: (lsn: number) => void) => journal.onDurable(listener),
      cursor: (lsn: number) => journal.cursor(lsn),
      whenDurable: async (lsn: number) => {
        // The card takes its time; a kill in the meantime forgets what waits.
        while (journal === this.journal && journal.durableLsn < lsn) await pause(clock, 5);
      },
    });
    this.#states = new HubStates({
      files: this.files,
      snapshot: '/hub/state.snapshot',
      dir: '/hub/taken',
      journal: portOfJournal,
      door: this.door,
      verify: verifyEd25519,
      timers: clock,
      log: SILENT_LOG,
    });
    this.book = new PeerBook({
      self: { hub: this.id, site: 'sim' },
      journal: portOfJournal,
      door: this.door,
      states: this.#states,
      stamps: stampsOfState(() => this.state(), journal, this.id),
      roster: undefined,
      policy: () => this.policy,
      dial: (address, handlers) => this.#site.dial(this, this.#site.hub(Number(address)), handlers),
      answer: (name, bytes) => this.answers.get(name)?.(bytes),
      clock,
      timers: clock,
      random,
      log: SILENT_LOG,
    });
    for (const target of this.targets) this.book.add(`${target}`);
  }

  /** Power cut: what was not synced is gone, nobody is told anything. */
  kill(): void {
    const { book } = this;
    this.book = undefined;
    for (const line of this.#site.lines) {
      if (line.ends.includes(this)) line.cut('the other side fell silent');
    }
    book?.close();
    this.#states?.close();
    this.files.powerCut();
    const left = new DoorJournal();
    left.firstLsn = this.journal.firstLsn;
    for (const entry of this.journal.entries.slice(0, this.journal.durableLsn))
      left.append(entry, 0);
    left.durableLsn = left.lastLsn;
    this.journal = left;
  }

  sync(): void {
    if (this.journal.durableLsn < this.journal.lastLsn) this.journal.sync();
  }

  publish(topic: string, payload: string): void {
    this.door.admit({
      topic,
      payload: utf8(payload),
      qos: 1,
      retain: false,
      dup: false,
      clientId: 'c',
      packetId: 0,
    });
  }

  ops(): StampedOp[] {
    return this.journal.entries.slice(0, this.journal.durableLsn).flatMap((bytes) => {
      if (bytes === DAMAGED) return [];
      const entry = decodeEntry(bytes);
      return entry.type === 'op' ? [entry.stamped] : [];
    });
  }

  digest(): string {
    return hexOf(digestOf(this.state(), sha256Hasher()).digest);
  }

  /** What is durable here comes to. */
  state(): MemoryState {
    const state = new MemoryState();
    const keys = new Map<string, string>();
    for (const bytes of this.journal.entries.slice(0, this.journal.durableLsn)) {
      if (bytes === DAMAGED) continue;
      const entry = decodeEntry(bytes);
      if (entry.type === 'op') {
        fold(state, entry.stamped);
        keys.set(textOfOpId(entry.stamped.op), entry.stamped.op.key);
      } else {
        for (const stamp of stampsIn(entry.body)) {
          restamp(state, keys.get(textOfOpId(stamp.op)) ?? '', stamp);
        }
        const again = againIn(entry.body);
        if (again !== undefined) fold(state, again);
        for (const item of stateItemsIn(entry.body)) {
          joinItem(state, item);
          if (item.type === 'write') keys.set(textOfOpId(item.write.order), item.key);
        }
      }
    }
    return state;
  }

  /** Keeps what its journal came to in a snapshot, and lets go of the journal up to `lsn`. */
  async release(lsn: number): Promise<void> {
    const { clock } = this.#site;
    const settled = writeSnapshot({
      files: this.files,
      path: '/hub/state.snapshot',
      lsn: this.journal.durableLsn,
      items: itemsOfState(this.state(), this.seen()),
      signer: this.#identity,
      siteClock: clock,
      clock,
      timers: clock,
    });
    await clock.advance(1);
    await settled;
    this.journal.release(lsn);
  }

  /** The ops that its state stands for. */
  seen(): SeenOps {
    const seen = new SeenOps();
    for (const bytes of this.journal.entries.slice(0, this.journal.durableLsn)) {
      if (bytes === DAMAGED) continue;
      const entry = decodeEntry(bytes);
      if (entry.type === 'local') {
        for (const held of heldIn(entry.body)?.lanes ?? []) seen.join(held);
      } else {
        const { origin, class: opClass, seq } = entry.stamped.op;
        seen.lane(laneOf(origin, opClass)).add(seq);
      }
    }
    return seen;
  }

  /** Ops of a device, as it hands them in. */
  accept(ops: readonly Op[], from: OpsFrom): void {
    const writer = new CborWriter(1 << 14).array(ops.length);
    for (const op of ops) writer.raw(encodeOp(op));
    this.door.acceptOps(writer.finish(), from);
  }

  #openDoor(): Door {
    const { clock } = this.#site;
    const knownVector = this.seen().highest();
    const door = Door.open({
      journal: this.journal,
      hub: this.id,
      bootId: 1,
      hlc: new HlcClock({
        wallMs: () => clock.wallMs() + this.skewMs,
        monotonicMs: () => clock.monotonicMs(),
        quality: () => clock.quality(),
      }),
      clock,
      log: SILENT_LOG,
      capture: [
        { filter: 'alarms/#', class: 'alarm', keep: 'all' },
        { filter: '#', class: 'telemetry', keep: 'all' },
      ],
      knownVector,
      lingerMs: () => 0,
      unfoldable,
    });
    door.holes.restore(this.#told, knownVector, (told) => (this.#told = told));
    door.holes.onTold(() => this.book?.askAnew());
    return door;
  }
}
