/**
 * The hub's state: the store and the applier that follows the journal into it. A damaged or failing store
 * is no reason to stop: it is opened anew, or put aside and folded from the journal again, while devices are
 * served as before. Where the journal has let go of its beginning, the snapshot stands in for that.
 */
import { Backoff } from '../../base/backoff.ts';
import type { Cancel, Clock } from '../../base/clock.ts';
import { type FaultCode, HubError, isDamage, messageOf, systemCode } from '../../base/errors.ts';
import { inSlices, pauseEvery } from '../../base/steps.ts';
import type { Config } from '../../config/schema.ts';
import { originOfPublicKey } from '../../hashes.ts';
import type { HubPaths } from '../data/data.ts';
import { readOut } from '../data/unreadable.ts';
import { Applier } from '../../ingest/applying/applier.ts';
import type { Journal } from '../../journal/journal.ts';
import { verifyEd25519 } from '../../keys/identity.ts';
import type { Machine } from '../../machine.ts';
import type { Signer } from '../../snapshot/manifest.ts';
import { readSnapshot, writeSnapshot } from '../../snapshot/snapshot-file.ts';
import type { StateDigest } from '../../store/state/state-digest.ts';
import { putAside } from '../../store/put-aside.ts';
import { Store, type StoreOptions } from '../../store/store.ts';
import { checkJournalReaches } from './lost-journal.ts';
import { giveSpareRoom, keepSpareRoom } from './spare-room.ts';

interface HubStoreOptions {
  readonly config: Config;
  readonly machine: Machine;
  /** Of the site: readings are as old as it says. */
  readonly clock: Clock;
  readonly paths: HubPaths;
  readonly journal: Journal;
  /** Signs the snapshot, and is the only one whose snapshot is believed. */
  readonly signer: Signer;
}

type EntryTaker = (lsn: number, entry: Uint8Array) => void;

/** A store that fails again soon waits before it is opened once more: the card is at fault, not the file. */
const REOPEN_MS_MIN = 5_000;
const REOPEN_MS_MAX = 600_000;
const SLICE_MS = 4;
const MIB = 1 << 20;
/** Snapshots that are as good as none. */
const UNUSABLE: ReadonlySet<FaultCode> = new Set(['snapshot.damaged', 'snapshot.untrusted']);

export class HubStore {
  readonly #options: HubStoreOptions;
  #state: Store;
  #applier: Applier | undefined;
  #alongside: EntryTaker | undefined;
  readonly #backoff: Backoff;
  #reopenedMs = -Infinity;
  #cancelReopen: Cancel | undefined;
  #isClosing = false;
  #fault: HubError | undefined;
  /** By databases that were given up. */
  #writtenBefore = 0;

  private constructor(options: HubStoreOptions) {
    this.#options = options;
    this.#backoff = new Backoff(REOPEN_MS_MIN, REOPEN_MS_MAX, options.machine.random);
    this.#state = openAtStart(options);
    keepSpareRoom(options.machine.files, options.paths.spare);
  }

  static open(options: HubStoreOptions): HubStore {
    return new HubStore(options);
  }

  /** The tables as they are now. */
  get state(): Store {
    return this.#state;
  }

  /** All of the journal up to here shows in queries. */
  get appliedLsn(): number {
    return this.#state.appliedLsn;
  }

  /** Bytes that the database wrote since the start. */
  get writtenBytes(): number {
    return this.#writtenBefore + this.#state.writtenBytes;
  }

  get fault(): HubError | undefined {
    return this.#fault;
  }

  /**
   * What the tables say, for whoever can do without; undefined where they are lost, or fail at this moment: the applier meets
   * that with its next step.
   */
  ask<T>(question: (state: Store) => T): T | undefined {
    if (this.#fault !== undefined) return undefined;
    try {
      return question(this.#state);
    } catch (error) {
      if (error instanceof HubError) return undefined;
      throw error;
    }
  }

  /** Begins to fold what the journal has; `alongside` sees each entry that is read for it. */
  follow(alongside: EntryTaker = () => undefined): void {
    const { journal, machine, clock } = this.#options;
    this.#alongside = alongside;
    const { timers, log } = machine;
    this.#applier = Applier.start({
      journal,
      timers,
      log,
      store: this.#state,
      clock: machine.clock,
      siteClock: clock,
      alongside,
      onFault: (fault) => this.#recover(fault),
    });
  }

  /** Resolves when everything up to `lsn`, which is durable, shows in queries. */
  async whenApplied(lsn: number): Promise<void> {
    await this.#applier?.caughtUp(lsn);
  }

  /**
   * Digest of the state with everything that is durable at this moment. Of a hundred thousand fields it takes a second of a
   * small board: in slices, so that devices are served meanwhile, while nothing is folded.
   */
  async digest(): Promise<StateDigest> {
    const applier = this.#applier;
    if (applier === undefined) return this.#state.digest();
    await applier.caughtUp(this.#options.journal.durableLsn);
    const pause = pauseEvery(SLICE_MS, this.#options.machine);
    return applier.whilePaused(() => inSlices(this.#state.digestInSteps(), pause));
  }

  /**
   * Makes the tables survive a power cut and writes the snapshot; the journal may let go of all up to the
   * LSN it resolves to.
   */
  async settle(): Promise<number> {
    const { machine, paths, signer, clock: siteClock } = this.#options;
    const { files, clock, timers } = machine;
    const state = this.#state;
    if (this.#applier === undefined) return 0;
    return this.#applier.whilePaused(async () => {
      const lsn = await state.persist();
      const items = state.dump();
      const path = paths.snapshot;
      await writeSnapshot({ files, clock, siteClock, timers, signer, path, lsn, items });
      keepSpareRoom(files, paths.spare);
      return lsn;
    });
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#cancelReopen?.();
    await this.#applier?.stop();
    try {
      this.#state.close();
    } catch (error) {
      // The journal has everything; the next run folds what is missing.
      this.#options.machine.log.warn('store.close-failed', { reason: faultOf(error).message });
    }
    const { machine, paths } = this.#options;
    keepSpareRoom(machine.files, paths.spare);
  }

  #recover(fault: HubError): void {
    const { clock, timers } = this.#options.machine;
    this.#fault = fault;
    this.#applier = undefined;
    if (this.#isClosing) return;
    if (clock.monotonicMs() - this.#reopenedMs > REOPEN_MS_MAX) {
      this.#backoff.reset();
      this.#reopen(fault);
    } else {
      const reopen = (): void => void this.#reopenReadable(fault);
      this.#cancelReopen = timers.after(this.#backoff.nextMs(), reopen);
    }
  }

  /** One that the card does not give back whole would only fail again. */
  async #reopenReadable(fault: HubError): Promise<void> {
    const { paths, machine } = this.#options;
    const pause = pauseEvery(SLICE_MS, machine);
    let known = fault;
    try {
      for (const path of [paths.state, `${paths.state}-wal`])
        await inSlices(readOut(path, machine.files), pause);
    } catch (error) {
      known = faultOf(error);
      if (isDamage(error)) known = new HubError('store.damaged', known.message, error);
    }
    if (!this.#isClosing) this.#reopen(known);
  }

  #reopen(fault: HubError): void {
    const { machine } = this.#options;
    const failed = this.#state;
    this.#reopenedMs = machine.clock.monotonicMs();
    try {
      failed.close();
      if (fault.code === 'store.damaged') makeWay(this.#options, fault);
      this.#state = openState(this.#options);
    } catch (error) {
      this.#recover(faultOf(error));
      return;
    }
    this.#writtenBefore += failed.writtenBytes;
    this.#fault = undefined;
    machine.log.info('store.reopened', { checkpointLsn: this.#state.checkpointLsn });
    this.follow(this.#alongside);
  }
}

/** Only here the spare room is given: a hub that runs serves its devices without tables, and one that starts cannot. */
function openAtStart(options: HubStoreOptions): Store {
  const { machine, paths } = options;
  try {
    return openState(options);
  } catch (error) {
    const isFailed = error instanceof HubError && error.code === 'store.failed';
    if (!isFailed || !giveSpareRoom(machine.files, paths.spare)) throw error;
    machine.log.warn('store.spare-room-given', { reason: error.message });
    return openState(options);
  }
}

function openState(options: HubStoreOptions): Store {
  const { config, machine, paths } = options;
  const { files, log } = machine;
  const { readingsDays } = config.store;
  const storeOptions: StoreOptions = { files, log, path: paths.state, readingsDays };
  let state: Store;
  try {
    state = Store.open(storeOptions);
  } catch (error) {
    if (!(error instanceof HubError) || error.code !== 'store.damaged') throw error;
    makeWay(options, error);
    state = Store.open(storeOptions);
  }
  const { firstLsn, lastLsn } = options.journal;
  try {
    checkJournalReaches(paths, lastLsn, state, originOfPublicKey(options.signer.publicKey));
  } catch (error) {
    state.close();
    throw error;
  }
  if (state.checkpointLsn > lastLsn) {
    // Of the hub that was here before this one.
    log.warn('store.other-journal', { checkpointLsn: state.checkpointLsn, lastLsn });
    state.rewind(firstLsn - 1);
  }
  bridgeGap(options, state);
  return state;
}

function makeWay({ config, machine, paths }: HubStoreOptions, { message: reason }: HubError): void {
  const { files, log } = machine;
  const aside = putAside(files, paths.state, config.journal.freeMibMin * MIB);
  if (aside === undefined) log.warn('store.removed', { path: paths.state, reason });
  else log.warn('store.put-aside', { aside, reason });
}

/** Where the journal begins behind the tables' end, the tables begin anew from the snapshot. */
function bridgeGap(options: HubStoreOptions, state: Store): void {
  const { machine, paths, journal, signer } = options;
  const { files, log } = machine;
  const { firstLsn } = journal;
  const appliedLsn = state.checkpointLsn;
  if (firstLsn <= appliedLsn + 1) return;
  try {
    const trust = { publicKey: signer.publicKey, verify: verifyEd25519 };
    const snapshot = readSnapshot(files, paths.snapshot, trust);
    if (snapshot !== undefined && snapshot.manifest.lsn > appliedLsn) {
      const { lsn } = snapshot.manifest;
      state.clear();
      state.load(snapshot.items, lsn);
      log.warn('store.restored', { path: paths.snapshot, throughLsn: lsn });
      if (lsn + 1 >= firstLsn) return;
    }
  } catch (error) {
    if (!(error instanceof HubError) || !UNUSABLE.has(error.code)) throw error;
    log.error('store.snapshot-unusable', { code: error.code, reason: error.message });
  }
  log.error('store.incomplete', { fromLsn: state.checkpointLsn + 1, toLsn: firstLsn - 1 });
}

/** A failing disk also speaks through the file system itself; anything else is a bug. */
function faultOf(error: unknown): HubError {
  if (error instanceof HubError) return error;
  if (systemCode(error) === undefined) throw error;
  return new HubError('store.failed', `state database: ${messageOf(error)}`, error);
}
