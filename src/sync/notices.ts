/**
 * What devices are told about their ops beyond the receipt (PROTOCOL.md §5): that one is in conflict, that one was
 * taken back, that somebody else uses their origin. Told to whoever is connected; who is not sees it in the state
 * when it catches up.
 */
import { HubError } from '../base/errors.ts';
import { addTo } from '../base/groups.ts';
import { isSameOp, type OpId, opIdOf, textOfOpId } from '../merge/op-id.ts';
import { readUndo } from '../merge/patch.ts';
import { UNDO } from '../model/op.ts';
import type { Origin } from '../model/origin.ts';
import { NOTICE_ENTRIES_MAX } from '../protocol/limits.ts';
import { encodeNotice, type Notice, type ToldUndo } from '../protocol/notice-message.ts';
import type { ToldConflict } from '../protocol/receipt-message.ts';
import type { Lsn, TakenEdit } from './ops-door.ts';
import { RECOVERY_TABLE } from './recovery-table.ts';

export interface NoticesOptions {
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
const STEPS_FOR_DEVICE: readonly string[] = [
  'Two devices use one origin: a data directory or an outbox was copied. Run one of them only.',
  'Give the other a new outbox; what it had not sent yet has to be made again.',
];

export class Notices {
  readonly #options: NoticesOptions;

  constructor(options: NoticesOptions) {
    this.#options = options;
  }

  /** The open conflicts in which the ops take part; tells the makers of the other sides, and of what was undone. */
  async look(edits: readonly TakenEdit[], lsn: Lsn): Promise<readonly ToldConflict[]> {
    if (edits.length === 0 || this.#options.lag() > LAG_MAX) return [];
    try {
      await this.#options.whenApplied(lsn);
      const conflicts = this.#conflictsOf(edits);
      this.#tellOthers(conflicts, edits);
      this.#tellUndone(edits);
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

  #tellOthers(conflicts: readonly ToldConflict[], edits: readonly TakenEdit[]): void {
    const conflictsByDevice = new Map<string, ToldConflict[]>();
    for (const conflict of conflicts) {
      const { winner, loser } = conflict;
      const other = edits.some((edit) => isSameOp(edit, winner)) ? loser : winner;
      const device = this.#otherDevice(other, edits);
      if (device !== undefined) addTo(conflictsByDevice, device, conflict);
    }
    for (const [device, told] of conflictsByDevice) {
      this.#send(device, { kind: 'conflict', conflicts: told });
    }
  }

  #tellUndone(edits: readonly TakenEdit[]): void {
    const undoneByDevice = new Map<string, ToldUndo[]>();
    for (const edit of edits) {
      if (edit.kind !== UNDO) continue;
      const { key } = edit;
      for (const op of readUndo(edit.body) ?? []) {
        const device = this.#otherDevice(op, edits);
        if (device !== undefined) addTo(undoneByDevice, device, { key, op, by: opIdOf(edit) });
      }
    }
    for (const [device, undone] of undoneByDevice) {
      this.#send(device, { kind: 'undo', undone: undone.slice(0, NOTICE_ENTRIES_MAX) });
    }
  }

  /** Who made the op, where it is not who made the edits. */
  #otherDevice({ origin }: OpId, [first]: readonly TakenEdit[]): string | undefined {
    return origin === first?.origin ? undefined : this.#options.deviceOf(origin);
  }

  #send(device: string, notice: Notice): void {
    this.#options.publish(`sync/${device}/notice`, encodeNotice(notice));
  }
}
