/**
 * The state of a peer on its way into this hub: bytes into a file, and when they are whole and signed by who they are said to
 * be of, its items into the journal, page by page, and behind them the word of which ops they stand for. A kill in
 * between loses nothing: the file is there, or is fetched again, and what was journaled before is joined once more.
 */
import { hexOf } from '../../base/bytes.ts';
import { pause, type Timers, turn } from '../../base/clock.ts';
import { HubError, messageOf, systemCode } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Verify } from '../../codec/cose.ts';
import { CborWriter } from '../../codec/writer.ts';
import type { Door } from '../../ingest/door/door.ts';
import { encodeStateEntry, isHandedOn } from '../../merge/state/state-entry.ts';
import { writeStateItem } from '../../merge/state/state-item.ts';
import { LOG } from '../../model/class.ts';
import type { HeldLane } from '../../model/held.ts';
import { compareHlc, type Hlc, HLC_ZERO } from '../../model/hlc.ts';
import { splitLane } from '../../model/origin.ts';
import type { Files, OpenFile } from '../../platform/files/files.ts';
import type { SnapshotManifest } from '../../snapshot/manifest.ts';
import { readSnapshot, type Snapshot } from '../../snapshot/snapshot-file.ts';
import type { OfferedState, TakenState } from '../../sync/peers/contract.ts';

export interface TakingOptions {
  readonly files: Files;
  readonly journal: {
    append(entry: Uint8Array, lingerMs: number): number;
    whenDurable(lsn: number): Promise<void>;
    stat(): { readonly fillRatio: number };
  };
  readonly door: Pick<Door, 'vector' | 'takeHeld'>;
  readonly verify: Verify;
  readonly timers: Timers;
  readonly log: Log;
}

const PAGE_BYTES = 32 * 1024;
const PAGE_ITEMS = 256;
/** Pages between two waits for the card. */
const PAGES_AT_ONCE = 16;
const LINGER_MS = 5;
/** The rest of the journal is for those who publish. */
const FILL_RATIO_MAX = 0.8;
const ROOM_LOOK_MS = 1_000;
const ROOM_CODES: ReadonlySet<string> = new Set([
  'journal.full',
  'journal.disk-full',
  'journal.busy',
]);

interface TakingParts {
  readonly file: OpenFile;
  readonly path: string;
  readonly manifest: SnapshotManifest;
  readonly offer: OfferedState;
}

export class StateTaking implements TakenState {
  readonly #options: TakingOptions;
  readonly #parts: TakingParts;
  #offset: number;
  #isOpen = true;

  constructor(options: TakingOptions, parts: TakingParts) {
    this.#options = options;
    this.#parts = parts;
    const { file, offer } = parts;
    // More than it can be is not of this state.
    this.#offset = file.size() <= offer.bytes ? file.size() : 0;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get offset(): number {
    return this.#offset;
  }

  add(bytes: Uint8Array): void {
    const { file, offer } = this.#parts;
    const fitting = bytes.subarray(0, offer.bytes - this.#offset);
    try {
      file.writeAt(fitting, this.#offset);
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      throw new HubError('snapshot.failed', `${this.#parts.path}: ${messageOf(error)}`, error);
    }
    this.#offset += fitting.length;
  }

  async finish(): Promise<boolean> {
    const { files, log } = this.#options;
    const { path, file, manifest } = this.#parts;
    file.truncate(this.#offset);
    try {
      const isWhole = await this.#takeOver();
      if (isWhole) files.remove(path);
      return isWhole;
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      // Bytes that lie are fetched anew; what the journal does not take is tried again when the hubs meet next.
      if (error.code.startsWith('snapshot.')) files.remove(path);
      const { hub } = manifest;
      log.warn('peer.state-failed', { hub, code: error.code, reason: error.message });
      return false;
    } finally {
      this.close();
    }
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#parts.file.close();
  }

  /** False where the hub stops before all is durable. */
  async #takeOver(): Promise<boolean> {
    const { files, verify, door, journal, log } = this.#options;
    const { path, manifest, offer } = this.#parts;
    const snapshot = readSnapshot(files, path, { publicKey: manifest.publicKey, verify });
    if (snapshot === undefined) throw new HubError('snapshot.damaged', `${path} is gone`);
    const summary = await this.#journalItems(snapshot);
    if (summary === undefined) return false;
    const { lanes, newest } = summary;
    const lsn = door.takeHeld({ manifest: offer.manifest, lanes }, newest);
    if (lsn === undefined) throw new HubError('peer.stuck', `a state of ${lanes.length} lanes`);
    await journal.whenDurable(lsn);
    const { hub, digest, items, bytes } = manifest;
    log.info('peer.state-taken', { hub, digest: hexOf(digest), items, bytes, lanes: lanes.length });
    return this.#isOpen;
  }

  /** Journals what can be joined; what the state says of lanes, and its latest stamp. */
  async #journalItems(snapshot: Snapshot): Promise<{ lanes: HeldLane[]; newest: Hlc } | undefined> {
    const { journal, timers } = this.#options;
    const lanes: HeldLane[] = [];
    let newest = HLC_ZERO;
    const page = new CborWriter(PAGE_BYTES + 4096);
    let items = 0;
    let pages = 0;
    const one = new CborWriter(1024);
    const flush = async (): Promise<boolean> => {
      if (items === 0) return this.#isOpen;
      const lsn = await this.#append(encodeStateEntry(page.peek()));
      if (lsn === undefined) return false;
      page.reset();
      items = 0;
      pages += 1;
      await (pages % PAGES_AT_ONCE === 0 ? journal.whenDurable(lsn) : turn(timers));
      return this.#isOpen;
    };
    for (const item of snapshot.items) {
      if (item.type === 'lane') {
        if (splitLane(item.lane).class !== LOG) lanes.push(item);
        continue;
      }
      if (item.type === 'hub' && compareHlc(item.hlc, newest) > 0) newest = item.hlc;
      if (!isHandedOn(item)) continue;
      one.reset();
      writeStateItem(one, item);
      const isFull = page.length + one.length > PAGE_BYTES || items >= PAGE_ITEMS;
      if (isFull && !(await flush())) return undefined;
      page.raw(one.peek());
      items += 1;
    }
    return (await flush()) ? { lanes, newest } : undefined;
  }

  /** Waits for room; undefined where the hub stops meanwhile. */
  async #append(entry: Uint8Array): Promise<number | undefined> {
    const { journal, timers } = this.#options;
    while (this.#isOpen) {
      try {
        if (journal.stat().fillRatio < FILL_RATIO_MAX) return journal.append(entry, LINGER_MS);
      } catch (error) {
        if (!(error instanceof HubError) || !ROOM_CODES.has(error.code)) throw error;
      }
      await pause(timers, ROOM_LOOK_MS);
    }
    return undefined;
  }
}
