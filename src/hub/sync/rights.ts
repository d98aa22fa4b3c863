/**
 * An op of this hub for each change of what the config grants: a device whose vector reaches it was served by these rights, and one whose
 * vector does not is served anew (sync/PROTOCOL.md §3), because what it was passed over then may concern it now. The op is the
 * event of a topic of its own, so the state says what was noted last.
 */
import { bytesEqual, hexOf, utf8 } from '../../base/bytes.ts';
import { HubError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { sha256 } from '../../hashes.ts';
import type { Door } from '../../ingest/door/door.ts';
import { type OpId, opIdOf } from '../../merge/op-id.ts';
import { RECORD } from '../../model/class.ts';
import type { Origin } from '../../model/origin.ts';
import type { Grant } from '../../security/acl.ts';
import type { HubStore } from '../storage/store.ts';

interface RightsParts {
  readonly hub: Origin;
  readonly grants: readonly Grant[];
  readonly store: Pick<HubStore, 'ask' | 'appliedLsn'>;
  readonly door: Pick<Door, 'journalOp'>;
  /** Where the journal ended at the start: before the state has come there, it may lack what an earlier start has noted. */
  readonly startLsn: number;
  readonly log: Log;
}

export class NotedRights {
  readonly #parts: RightsParts;
  #op: OpId | undefined;
  #isNoted = false;

  constructor(parts: RightsParts) {
    this.#parts = parts;
    this.#note();
  }

  /** The op of the last change; undefined where nothing was ever granted, or that is not known yet. */
  get op(): OpId | undefined {
    if (!this.#isNoted) this.#note();
    return this.#op;
  }

  #note(): void {
    const { hub, grants, store, door, startLsn, log } = this.#parts;
    if (store.appliedLsn < startLsn) return;
    const key = `hub/rights/${hub}`;
    const found = store.ask((state) => state.latest(key, 1));
    // A store at fault does not say: it is asked again.
    if (found === undefined) return;
    this.#isNoted = true;
    const last = found[0]?.[1];
    this.#op = last && opIdOf(last.order);
    const body = utf8(hexOf(sha256(utf8(JSON.stringify(grants)))));
    if (last === undefined ? grants.length === 0 : bytesEqual(last.body, body)) return;
    try {
      const { seq } = door.journalOp({ class: RECORD, key, body });
      this.#op = { origin: hub, class: RECORD, seq };
      log.info('sync.rights-changed', { grants: grants.length, seq });
    } catch (error) {
      // A journal without room is reported by its owner; the next start notes it.
      if (!(error instanceof HubError)) throw error;
    }
  }
}
