/**
 * What the power brain remembers across restarts: response of the panel, clearness, floor, quota, the charge
 * last known. One small JSON file, replaced whole once an hour and at the end; damaged or of another version it
 * is ignored, and the brain learns anew. Below 100 KB by construction: every list in it has a limit. While the hub
 * serves, nobody waits for the card to take its bytes.
 */
import { textOf, utf8 } from '../base/bytes.ts';
import type { Files } from '../platform/files/files.ts';
import { replaceOffLoop } from '../platform/files/off-loop.ts';
import type { EstimatorState } from './estimate/estimator.ts';
import type { GovernorMemory } from './govern/governor.ts';
import type { PlannerState } from './forecast/planner.ts';
import { FIRST_STATE, isLevelState, type LevelState } from './govern/power-state.ts';
import type { QuotaState } from './govern/quota.ts';
import { UNCOUNTED_POINTS_PER_HOUR } from './estimate/state-of-charge.ts';

export interface SavedState {
  readonly version: 1;
  /** Wall clock. */
  readonly savedAtMs: number;
  readonly planner: PlannerState;
  readonly quota: QuotaState;
  readonly estimator: EstimatorState;
  /** The state before the end: a hub that comes back within its hysteresis is where it was. */
  readonly known: LevelState | null;
}

export interface StateFile {
  readonly files: Files;
  readonly path: string;
}

/** The parts are checked by those whose they are; undefined where there is nothing to use. */
export function loadState({ files, path }: StateFile): Partial<SavedState> | undefined {
  try {
    const value: unknown = JSON.parse(textOf(files.read(path) ?? new Uint8Array()) ?? '');
    const known = typeof value === 'object' && value !== null && 'version' in value;
    return known && value.version === 1 ? (value as Partial<SavedState>) : undefined;
  } catch {
    return undefined;
  }
}

/** Writes what was learned: off the event loop while the hub runs, waiting for the card at its end. */
export class StateKeeper {
  readonly #file: StateFile | undefined;
  readonly #learned: () => SavedState;
  readonly #onFailure: (error: unknown) => void;
  #last: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #isClosed = false;

  /** Without a file nothing is kept. `learned` is asked when a save begins. */
  constructor(
    file: StateFile | undefined,
    learned: () => SavedState,
    onFailure: (error: unknown) => void,
  ) {
    this.#file = file;
    this.#learned = learned;
    this.#onFailure = onFailure;
  }

  /** Who asks while a save is underway shares the next one with all who do. */
  save(): Promise<void> {
    this.#next ??= this.#last.then(() => {
      this.#next = undefined;
      return this.#save();
    });
    this.#last = this.#next;
    return this.#last;
  }

  close(): void {
    this.#isClosed = true;
    if (this.#file === undefined) return;
    try {
      this.#file.files.replace(this.#file.path, this.#bytes());
    } catch (error) {
      this.#onFailure(error);
    }
  }

  async #save(): Promise<void> {
    if (this.#file === undefined || this.#isClosed) return;
    try {
      await replaceOffLoop(this.#file.files, this.#file.path, this.#bytes());
    } catch (error) {
      // What the close has overtaken is on the card, and newer.
      if (!this.#isClosed) this.#onFailure(error);
    }
  }

  #bytes(): Uint8Array {
    return utf8(JSON.stringify(this.#learned()));
  }
}

/** A governor's first memory that knows where the battery was. */
export function savedMemory(saved: Partial<SavedState> | undefined): GovernorMemory {
  const { known } = saved ?? {};
  return { power: { ...FIRST_STATE, known: isLevelState(known) ? known : undefined } };
}

/** The charge as it was saved, less sure by the time that nobody counted. */
export function savedCharge(
  saved: Partial<SavedState> | undefined,
  wallMs: number,
): EstimatorState | undefined {
  const charge = saved?.estimator?.charge;
  const { savedAtMs } = saved ?? {};
  const usable =
    charge !== undefined &&
    Number.isFinite(charge.percent) &&
    Number.isFinite(charge.errorPoints) &&
    typeof savedAtMs === 'number' &&
    wallMs >= savedAtMs;
  if (!usable) return undefined;
  const uncounted = ((wallMs - savedAtMs) / 3_600_000) * UNCOUNTED_POINTS_PER_HOUR;
  return { charge: { ...charge, errorPoints: charge.errorPoints + uncounted } };
}
