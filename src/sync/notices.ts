/**
 * What devices are told about their ops beyond the receipt (PROTOCOL.md §5): that one is in conflict, that one was
 * taken back, that somebody else uses their origin. Told to whoever is connected, whichever way the other side came: from
 * a device, from people at this hub, from a peer or from the region. Who is not connected sees it in the state when it
 * catches up.
 */
import { HubError } from '../base/errors.ts';
import { addTo } from '../base/groups.ts';
import { type OpId, opIdOf, textOfOpId } from '../merge/op-id.ts';
import { readUndo } from '../merge/patch.ts';
import { UNDO } from '../model/op.ts';
import type { Origin } from '../model/origin.ts';
import { NOTICE_ENTRIES_MAX } from '../protocol/limits.ts';
import { encodeNotice, type Notice, type ToldUndo } from '../protocol/notice-message.ts';
import type { ToldConflict } from '../protocol/receipt-message.ts';
import type { Lsn, TakenEdit } from './ops-door.ts';
import { RECOVERY_TABLE } from './recovery-table.ts';

interface NoticesOptions {
  readonly openConflicts: (key: string, limit: number) => readonly ToldConflict[];
  readonly whenApplied: (lsn: Lsn) => Promise<void>;
  /** Durable entries that are not folded. */
  readonly lag: () => number;
  readonly deviceOf: (origin: Origin) => string | undefined;
  readonly publish: (topic: string, payload: Uint8Array) => void;
}

/** A receipt does not wait for a store that is further behind. */
const LAG_MAX = 2_000;
const KEYS_MAX = 64;
/** Edits from elsewhere that wait to be folded; of more than that nobody is told. */
const WAITING_MAX = 1_000;
const NOBODY: ReadonlySet<Origin> = new Set();
const STEPS_FOR_DEVICE: readonly string[] = [
  'Two devices use one origin: a data directory or an outbox was copied. Run one of them only.',
  'Give the other a new outbox; what it had not sent yet has to be made again.',
  'There is no other: this device has an old copy of its outbox, or its storage has forgotten the end of it. It goes on by itself; look whether the last edits are there.',
];

export class Notices {
  readonly #options: NoticesOptions;
  #waiting: TakenEdit[] = [];
  #waitingLsn: Lsn = 0;
  #isTelling = false;

  constructor(options: NoticesOptions) {
    this.#options = options;
  }

  /**
   * The open conflicts in which ops that a device has handed in take part; tells the makers of the other sides, and of
   * what was undone.
   */
  look(edits: readonly TakenEdit[], lsn: Lsn): Promise<readonly ToldConflict[]> {
    return this.#tell(edits, lsn, new Set(edits.map(({ origin }) => origin)));
  }

  /** An edit has come that no device has handed in here: tells the makers of both sides. */
  came(edit: TakenEdit, lsn: Lsn): void {
    if (this.#waiting.length >= WAITING_MAX) return;
    this.#waiting.push(edit);
    this.#waitingLsn = lsn;
    if (!this.#isTelling) void this.#tellWaiting();
  }

  async #tellWaiting(): Promise<void> {
    this.#isTelling = true;
    while (this.#waiting.length > 0) {
      // What comes in the same turn goes along.
      await Promise.resolve();
      await this.#tell(this.#waiting.splice(0, KEYS_MAX), this.#waitingLsn, NOBODY);
    }
    this.#isTelling = false;
  }

  /** Tells the makers, without those who hear it from their receipt. */
  async #tell(
    edits: readonly TakenEdit[],
    lsn: Lsn,
    without: ReadonlySet<Origin>,
  ): Promise<readonly ToldConflict[]> {
    if (edits.length === 0 || this.#options.lag() > LAG_MAX) return [];
    try {
      await this.#options.whenApplied(lsn);
      const conflicts = this.#conflictsOf(edits);
      this.#tellSides(conflicts, without);
      this.#tellUndone(edits, without);
      return conflicts;
    } catch (error) {
      // The store is being built anew. The receipt says what is durable; the conflict inbox has the rest later.
      if (!(error instanceof HubError)) throw error;
      return [];
    }
  }

  tellClash(device: string): void {
    const { name } = RECOVERY_TABLE.find((row) => row.name === 'identity clash') ?? { name: '' };
    this.#send(device, { kind: 'recovery', state: { name, steps: STEPS_FOR_DEVICE } });
  }

  #conflictsOf(edits: readonly TakenEdit[]): ToldConflict[] {
    const names = new Set(edits.map((edit) => textOfOpId(edit)));
    const keys = [...new Set(edits.map(({ key }) => key))].slice(0, KEYS_MAX);
    return keys
      .flatMap((key) => this.#options.openConflicts(key, NOTICE_ENTRIES_MAX))
      .filter(({ winner, loser }) => names.has(textOfOpId(winner)) || names.has(textOfOpId(loser)))
      .slice(0, NOTICE_ENTRIES_MAX);
  }

  #tellSides(conflicts: readonly ToldConflict[], without: ReadonlySet<Origin>): void {
    const conflictsByDevice = new Map<string, ToldConflict[]>();
    for (const conflict of conflicts) {
      const sides = [conflict.winner, conflict.loser].map((op) => this.#deviceOf(op, without));
      for (const device of new Set(sides)) {
        if (device !== undefined) addTo(conflictsByDevice, device, conflict);
      }
    }
    for (const [device, told] of conflictsByDevice) {
      this.#send(device, { kind: 'conflict', conflicts: told });
    }
  }

  #tellUndone(edits: readonly TakenEdit[], without: ReadonlySet<Origin>): void {
    const undoneByDevice = new Map<string, ToldUndo[]>();
    for (const edit of edits) {
      if (edit.kind !== UNDO) continue;
      const { key } = edit;
      for (const op of readUndo(edit.body) ?? []) {
        const device = this.#deviceOf(op, without);
        if (device !== undefined) addTo(undoneByDevice, device, { key, op, by: opIdOf(edit) });
      }
    }
    for (const [device, undone] of undoneByDevice) {
      this.#send(device, { kind: 'undo', undone: undone.slice(0, NOTICE_ENTRIES_MAX) });
    }
  }

  #deviceOf({ origin }: OpId, without: ReadonlySet<Origin>): string | undefined {
    return without.has(origin) ? undefined : this.#options.deviceOf(origin);
  }

  #send(device: string, notice: Notice): void {
    this.#options.publish(`sync/${device}/notice`, encodeNotice(notice));
  }
}
