/**
 * The hub's ledger (LEDGER.md): one Merkle tree a class over the bytes of every op that this hub has accepted, in the
 * order of its journal, with signed checkpoints. It follows the journal behind the acknowledgements, in
 * short slices; about 1.5 µs an op.
 *
 * Promises: only what is durable becomes a leaf, and once a leaf, always the same leaf: after any crash the trees grow
 * on from what was written, over the same entries. The journal lets go of an entry only when `flush` has made
 * its hash durable, and hashes are kept for good. A ledger whose own files are lost is begun anew and says so; the region,
 * which remembers the old one, says so too.
 *
 * Between flushes at most a few thousand tiles wait in memory. A flush costs a handful of syncs, so it comes
 * with the release of a segment, with so many tiles, every hour and at the end; a crash costs hashing again.
 */
import { assert } from '../base/assert.ts';
import { bytesEqual } from '../base/bytes.ts';
import { type Cancel, type Timers, turn } from '../base/clock.ts';
import { HubError, messageOf, systemCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { Offers } from '../base/offers.ts';
import { OneAtATime } from '../base/queue.ts';
import type { Verify } from '../codec/cose.ts';
import { CborError } from '../codec/reader.ts';
import { originOfPublicKey } from '../hashes.ts';
import { CLASS_NAMES, CLASSES, type OpClass, perClass } from '../model/class.ts';
import type { Origin } from '../model/origin.ts';
import type { Files } from '../platform/files/files.ts';
import { replaceOffLoop } from '../platform/files/off-loop.ts';
import { leafOf } from './leaf.ts';
import { LeafPlaces } from './leaf-places.ts';
import { encodeLedgerState, type LedgerState, readLedgerState } from './ledger-state.ts';
import { HASH_BYTES, leafHash, leafHashInto } from './merkle.ts';
import {
  checkpointBody,
  cosignatureLine,
  cosignedAtS,
  logName,
  parseCheckpoint,
  type NoteSigner,
  signCheckpoint,
  type TreeHead,
  witnessName,
} from './note.ts';
import { encodeProof } from './proof-file.ts';
import { consistencyProof, inclusionProof } from './proofs.ts';
import { encodeSince } from './since-file.ts';
import { TILE_HASHES, TileTree } from './tile-tree.ts';

type Lsn = number;

/** What the ledger needs of the journal. */
export interface JournalReader {
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
  readonly durableLsn: Lsn;
  cursor(fromLsn: Lsn): { next(): { readonly lsn: Lsn; readonly entry: Uint8Array } | undefined };
  onDurable(listener: (durableLsn: Lsn) => void): void;
}

interface LedgerOptions {
  readonly journal: JournalReader;
  readonly files: Files;
  /** Folder of the ledger alone. */
  readonly dir: string;
  readonly hub: Origin;
  readonly signer: NoteSigner;
  readonly verify: Verify;
  readonly timers: Timers;
  readonly log: Log;
  /** Takes what nobody may catch: bugs. */
  readonly onFatal: (error: unknown) => void;
}

/** What the region says of a tree: its head, and the region's cosignature over its checkpoint. */
interface WitnessedHead extends TreeHead {
  readonly cosignature: Uint8Array;
}

/** Entries hashed before other events get their turn: about 2 ms. */
const SLICE_ENTRIES = 1_024;
/** How long a durable entry may wait for company. */
const LINGER_MS = 200;
/** Who offers entries may pause for so many looks: in a burst the applier writes what it has gathered for a second. */
const QUIET_LOOKS_MAX = 15;
/** 2 MiB of memory, 65,536 ops. */
const UNWRITTEN_TILES_MAX = 256;
const FLUSH_PERIOD_MS = 3_600_000;

export class Ledger {
  readonly #options: LedgerOptions;
  readonly #trees: Record<OpClass, TileTree>;
  readonly #places = perClass(() => new LeafPlaces());
  readonly #checkpoints = new Map<OpClass, { readonly size: number; readonly text: string }>();
  readonly #cosigned: Map<OpClass, string>;
  /** Something beside the trees has changed since the state was written. */
  #isChanged = false;
  /** Undefined where others have offered what came, or nothing was read yet. */
  #cursor: ReturnType<JournalReader['cursor']> | undefined;
  #throughLsn: Lsn;
  readonly #offers = new Offers(QUIET_LOOKS_MAX);
  /** The hash of the leaf that is appended. */
  readonly #leaf = new Uint8Array(HASH_BYTES);
  /** The state file says at least so much. */
  #durableLsn: Lsn;
  #cancelWake: Cancel | undefined;
  readonly #endPeriod: Cancel;
  readonly #flushing = new OneAtATime();
  /** Asked for and not over. */
  #flushes = 0;
  /** Whether it was told that the disk takes nothing. */
  #isTold = false;
  #closed = false;

  private constructor(options: LedgerOptions, state: LedgerState) {
    const { files, dir, timers } = options;
    this.#options = options;
    this.#trees = perClass(
      (opClass) => new TileTree(files, `${dir}/${CLASS_NAMES[opClass]}`, state.trees.get(opClass)),
    );
    this.#durableLsn = state.throughLsn;
    this.#cosigned = new Map(state.cosigned);
    this.#throughLsn = startFor(state.throughLsn, options);
    this.#endPeriod = timers.every(FLUSH_PERIOD_MS, () => void this.#flushOrTell());
  }

  /** Begins behind what the state file says. Throws `data.newer`. */
  static open(options: LedgerOptions): Ledger {
    const { files, dir, journal } = options;
    files.makeDir(dir);
    const ledger = new Ledger(options, readState(options));
    journal.onDurable(() => ledger.#wake(LINGER_MS));
    ledger.#wake(0);
    return ledger;
  }

  /** Every op up to here is in its tree. */
  get throughLsn(): Lsn {
    return this.#throughLsn;
  }

  /**
   * An entry that somebody who follows the journal has read anyway: it becomes a leaf where it is the next one. Who offers
   * sets the pace; where nobody does, the ledger reads for itself.
   */
  offer(lsn: Lsn, entry: Uint8Array): void {
    if (lsn !== this.#throughLsn + 1 || this.#closed) return;
    this.#offers.came();
    this.#cursor = undefined;
    this.#hash(lsn, entry);
    this.#throughLsn = lsn;
    if (lsn % SLICE_ENTRIES === 0) this.#flushWhereMuchWaits();
  }

  head(opClass: OpClass, size = this.#trees[opClass].size): TreeHead {
    return { size, root: this.#trees[opClass].root(size) };
  }

  /** The signed note of a class's tree as it is now. */
  checkpoint(opClass: OpClass): string {
    const { size } = this.#trees[opClass];
    const known = this.#checkpoints.get(opClass);
    if (known?.size === size) return known.text;
    const text = this.#signed(opClass, size);
    this.#checkpoints.set(opClass, { size, text });
    return text;
  }

  /**
   * The proof file that the tree of `size` leaves, all of today's where it is left out, goes on from the one of `oldSize`;
   * undefined where the tree has not so many.
   */
  since(opClass: OpClass, oldSize: number, size?: number): string | undefined {
    const tree = this.#trees[opClass];
    const until = size ?? tree.size;
    if (until > tree.size || oldSize > until) return undefined;
    const hashes = oldSize === 0 ? [] : consistencyProof(tree.node, oldSize, until);
    const checkpoint =
      until === tree.size ? this.checkpoint(opClass) : this.#signed(opClass, until);
    return encodeSince({ oldSize, hashes, checkpoint });
  }

  #signed(opClass: OpClass, size: number): string {
    const { hub, signer } = this.#options;
    return signCheckpoint(logName(hub, opClass), this.head(opClass, size), signer);
  }

  /** The tree of a class behind the op with these bytes, which stands in the journal at `lsn`. */
  async headBehind(opClass: OpClass, op: Uint8Array, lsn: Lsn): Promise<TreeHead | undefined> {
    while (this.#throughLsn < lsn && this.#hashSome()) await turn(this.#options.timers);
    const index = this.#find(opClass, op, lsn);
    return index === undefined ? undefined : this.head(opClass, index + 1);
  }

  /** Size of the tree that the region has cosigned last; 0 where it has none. */
  witnessedSize(opClass: OpClass): number {
    const note = this.#cosigned.get(opClass);
    return note === undefined ? 0 : (parseCheckpoint(note)?.size ?? 0);
  }

  /** Hashes of the leaves from `first` up to `until`, one behind the other. */
  leaves(opClass: OpClass, first: number, until: number): Uint8Array {
    const { node } = this.#trees[opClass];
    const hashes = new Uint8Array((until - first) * HASH_BYTES);
    for (let at = first; at < until; at++) hashes.set(node(0, at), (at - first) * HASH_BYTES);
    return hashes;
  }

  /**
   * Takes the region's word on a tree, and keeps the cosigned checkpoint. False where it is not our history that the
   * region has signed.
   */
  witnessed(opClass: OpClass, said: WitnessedHead, regionKey: Uint8Array): boolean {
    const { hub, signer, verify } = this.#options;
    if (said.size > this.#trees[opClass].size) return false;
    const head = this.head(opClass, said.size);
    if (!bytesEqual(head.root, said.root)) return false;
    const body = checkpointBody(logName(hub, opClass), head);
    if (cosignedAtS(body, said.cosignature, regionKey, verify) === undefined) return false;
    const name = witnessName(originOfPublicKey(regionKey));
    const line = cosignatureLine(name, regionKey, said.cosignature);
    this.#cosigned.set(opClass, signCheckpoint(logName(hub, opClass), head, signer) + line);
    this.#isChanged = true;
    return true;
  }

  /** The last checkpoint with the region's line; undefined where it has cosigned none. */
  cosigned(opClass: OpClass): string | undefined {
    return this.#cosigned.get(opClass);
  }

  /** A tile as C2SP tlog-tiles serves it; undefined where the tree has not so many hashes there. */
  tile(
    opClass: OpClass,
    level: number,
    index: number,
    width = TILE_HASHES,
  ): Uint8Array | undefined {
    return this.#trees[opClass].tile(level, index, width);
  }

  /** The proof file of the entry with this LSN; undefined where the journal has no op there any more, or it is no leaf yet. */
  prove(lsn: Lsn): string | undefined {
    const found = lsn > this.#throughLsn ? undefined : this.#options.journal.cursor(lsn).next();
    if (found?.lsn !== lsn) return undefined;
    const leaf = leafOf(found.entry);
    if (leaf === undefined) return undefined;
    const tree = this.#trees[leaf.class];
    const index = this.#find(leaf.class, leaf.op, lsn);
    if (index === undefined) return undefined;
    const hashes = inclusionProof(tree.node, index, tree.size);
    return encodeProof({ op: leaf.op, index, hashes, checkpoint: this.checkpoint(leaf.class) });
  }

  /** Whether the op is a leaf: this hub has accepted it once. Looked for from about where `lsn` stands outwards. */
  has(opClass: OpClass, op: Uint8Array, lsn: Lsn): boolean {
    return this.#search(opClass, op, lsn) !== undefined;
  }

  /** Where the op stands that the journal has at `lsn`. */
  #find(opClass: OpClass, op: Uint8Array, lsn: Lsn): number | undefined {
    const index = this.#search(opClass, op, lsn);
    if (index !== undefined) this.#places[opClass].found(lsn, index);
    return index;
  }

  #search(opClass: OpClass, op: Uint8Array, lsn: Lsn): number | undefined {
    const tree = this.#trees[opClass];
    const near = this.#places[opClass].near(lsn, tree.size, this.#throughLsn);
    return tree.find(leafHash(op), near);
  }

  /** Makes what is hashed durable, and resolves to how far that is. Rejects with `ledger.failed` where the disk cannot. */
  async flush(): Promise<Lsn> {
    this.#flushes += 1;
    try {
      await this.#flushing.do(() => this.#writeState());
    } catch (error) {
      this.#isChanged = true;
      if (systemCode(error) === undefined) throw error;
      const what = `cannot write ${this.#options.dir}: ${messageOf(error)}`;
      throw new HubError('ledger.failed', what, error);
    } finally {
      this.#flushes -= 1;
    }
    return this.#durableLsn;
  }

  async close(): Promise<void> {
    this.#cancelWake?.();
    this.#endPeriod();
    await this.#flushOrTell();
    this.#closed = true;
  }

  /** A disk that cannot is told, once: nothing is lost, the next start hashes the same entries again. */
  async #flushOrTell(): Promise<void> {
    try {
      await this.flush();
      this.#isTold = false;
    } catch (error) {
      if (!(error instanceof HubError)) return this.#options.onFatal(error);
      if (!this.#isTold)
        this.#options.log.warn('ledger.flush-failed', { reason: messageOf(error) });
      this.#isTold = true;
    }
  }

  #wake(delayMs: number): void {
    if (this.#cancelWake !== undefined || this.#closed) return;
    const { timers } = this.#options;
    const run = (): void => {
      this.#cancelWake = undefined;
      this.#slice();
    };
    this.#cancelWake = delayMs === 0 ? timers.soon(run) : timers.after(delayMs, run);
  }

  #slice(): void {
    if (this.#offers.areToCome()) {
      if (this.#throughLsn < this.#options.journal.durableLsn) this.#wake(LINGER_MS);
      return;
    }
    try {
      if (this.#hashSome()) this.#wake(0);
    } catch (error) {
      this.#options.onFatal(error);
      return;
    }
    this.#flushWhereMuchWaits();
  }

  /** What gathers while a slow card writes is left for the next time: one flush at a time is enough. */
  #flushWhereMuchWaits(): void {
    if (this.#flushes > 0) return;
    const waiting = CLASSES.map((opClass) => this.#trees[opClass].unwrittenTiles);
    const unwritten = waiting.reduce((sum, tiles) => sum + tiles, 0);
    if (unwritten >= UNWRITTEN_TILES_MAX) void this.#flushOrTell();
  }

  /** Hashes a slice of the journal; false where it has no more. */
  #hashSome(): boolean {
    this.#cursor ??= this.#options.journal.cursor(this.#throughLsn + 1);
    for (let count = 0; count < SLICE_ENTRIES; count++) {
      const next = this.#cursor.next();
      if (next === undefined) return false;
      assert(next.lsn > this.#throughLsn, 'the journal goes up');
      this.#hash(next.lsn, next.entry);
      this.#throughLsn = next.lsn;
    }
    return true;
  }

  #hash(lsn: Lsn, entry: Uint8Array): void {
    try {
      const leaf = leafOf(entry);
      if (leaf === undefined) return;
      const tree = this.#trees[leaf.class];
      leafHashInto(this.#leaf, 0, leaf.op);
      tree.append(this.#leaf);
      this.#places[leaf.class].appended(lsn, tree.size - 1);
    } catch (error) {
      if (!(error instanceof CborError)) throw error;
      this.#options.log.error('ledger.entry-unreadable', { lsn, reason: error.message });
    }
  }

  async #writeState(): Promise<void> {
    const { files, dir } = this.#options;
    const throughLsn = this.#throughLsn;
    if (throughLsn === this.#durableLsn && !this.#isChanged) return;
    this.#isChanged = false;
    const cosigned = new Map(this.#cosigned);
    const trees = new Map<OpClass, ReturnType<TileTree['openTiles']>>();
    const grown = CLASSES.filter((opClass) => this.#trees[opClass].size > 0);
    for (const opClass of grown) trees.set(opClass, this.#trees[opClass].openTiles());
    for (const opClass of grown) await this.#trees[opClass].write();
    await replaceOffLoop(files, statePath(dir), encodeLedgerState({ throughLsn, trees, cosigned }));
    this.#durableLsn = throughLsn;
  }
}

function statePath(dir: string): string {
  return `${dir}/state`;
}

const NOTHING: LedgerState = { throughLsn: 0, trees: new Map(), cosigned: new Map() };

function readState({ files, dir, log }: LedgerOptions): LedgerState {
  const path = statePath(dir);
  const read = readLedgerState(files, path);
  if (read.kind === 'state') return read.state;
  if (read.kind === 'newer') {
    throw new HubError('data.newer', `${path} has format ${read.format}`);
  }
  if (read.kind === 'damaged') log.error('ledger.damaged', { file: path, next: 'begun anew' });
  return NOTHING;
}

/** Behind which entry to go on. What the journal has let go of without the ledger cannot be hashed any more. */
function startFor(throughLsn: Lsn, { journal, log }: LedgerOptions): Lsn {
  const { firstLsn, lastLsn } = journal;
  if (throughLsn > lastLsn) {
    log.warn('ledger.other-journal', { throughLsn, lastLsn });
    return firstLsn - 1;
  }
  if (throughLsn + 1 >= firstLsn) return throughLsn;
  log.error('ledger.gap', { fromLsn: throughLsn + 1, toLsn: firstLsn - 1 });
  return firstLsn - 1;
}
