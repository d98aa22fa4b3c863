/**
 * An op of this hub for each change of what the config lets a user, or everyone of a role, read beyond their role: a device whose vector
 * reaches those that concern it was served by these rights, and one whose vector does not is served anew (sync/PROTOCOL.md §3), because
 * what it was passed over then may concern it now. Each is the event of a topic of its own, so the state says what was noted last.
 */
import { bytesEqual, hexOf, utf8 } from '../../base/bytes.ts';
import { HubError } from '../../base/errors.ts';
import { addTo } from '../../base/groups.ts';
import type { Log } from '../../base/log.ts';
import { sha256 } from '../../hashes.ts';
import type { Door } from '../../ingest/door/door.ts';
import { type OpId, opIdOf } from '../../merge/op-id.ts';
import { RECORD } from '../../model/class.ts';
import type { Origin } from '../../model/origin.ts';
import type { Grant, Principal } from '../../security/acl.ts';
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

/** Users and roles to whom something was granted once; of more, some are noted again at each start. */
const NOTED_MAX = 10_000;

export class NotedRights {
  readonly #parts: RightsParts;
  readonly #opByKey = new Map<string, OpId>();
  #isNoted = false;

  constructor(parts: RightsParts) {
    this.#parts = parts;
    this.#note();
  }

  /** The ops of the last changes that concern it; none where nothing was ever granted to it, or that is not known yet. */
  opsFor({ name, role }: Pick<Principal, 'name' | 'role'>): OpId[] {
    if (!this.#isNoted) this.#note();
    return [this.#keyOf(name, ''), this.#keyOf('', role)].flatMap(
      (key) => this.#opByKey.get(key) ?? [],
    );
  }

  #note(): void {
    const { hub, grants, store, startLsn } = this.#parts;
    if (store.appliedLsn < startLsn) return;
    const found = store.ask((state) => state.latest(`hub/rights/${hub}/`, NOTED_MAX));
    // A store at fault does not say: it is asked again.
    if (found === undefined) return;
    this.#isNoted = true;
    const noted = new Map(found);
    for (const [key, { order }] of noted) this.#opByKey.set(key, opIdOf(order));
    const granted = new Map<string, string[]>();
    for (const { user, role, read } of grants) {
      for (const pattern of read) addTo(granted, this.#keyOf(user, role), pattern);
    }
    for (const key of new Set([...noted.keys(), ...granted.keys()])) {
      const body = utf8(hashOf(granted.get(key)?.toSorted() ?? []));
      const last = noted.get(key)?.body;
      if (last === undefined || !bytesEqual(last, body)) this.#journal(key, body);
    }
  }

  #journal(key: string, body: Uint8Array): void {
    const { hub, door, log } = this.#parts;
    try {
      const { seq } = door.journalOp({ class: RECORD, key, body });
      this.#opByKey.set(key, { origin: hub, class: RECORD, seq });
      log.info('sync.rights-changed', { key, seq });
    } catch (error) {
      // A journal without room is reported by its owner; the next start notes it.
      if (!(error instanceof HubError)) throw error;
    }
  }

  /** Every device may read the topic: it does not say who there is. */
  #keyOf(user: string, role: string): string {
    return `hub/rights/${this.#parts.hub}/${hashOf([user, role]).slice(0, 16)}`;
  }
}

function hashOf(texts: readonly string[]): string {
  return hexOf(sha256(utf8(JSON.stringify(texts))));
}
