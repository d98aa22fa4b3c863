/**
 * Which records have grown beyond what may be kept of their ops one by one. Found in small steps, so that whoever looks
 * can let others have their turns: with two hundred thousand ops even counting them takes longer than anybody waits.
 */
import type { Steps } from '../../../base/steps.ts';
import type { SqliteFile } from '../../database/sqlite.ts';

/** How many ops on records are kept one by one. */
export interface HistoryLimits {
  readonly opsMax: number;
  readonly editsMax: number;
}

/** A record with too many, and how many of the newest shall stay. */
export interface Crowded {
  readonly keyId: number;
  readonly keep: number;
}

interface Counted {
  readonly keyId: number;
  readonly count: number;
}

/** A horizon is drawn when so much more has come, not with every op. */
const SLACK = 1.25;
/** Records that are given at once. */
const CROWDED_MAX = 16;
/** A history that is shorter is not worth a horizon. */
const HALVED_MIN = 8;
/** Rows that are counted at once. */
const STRIDE = 4096;
const BEYOND = 'SELECT 1 FROM writes WHERE key_id = ? LIMIT 1 OFFSET ?';
const STRIDE_END = `
  SELECT key_id, op FROM writes WHERE (key_id, op) > (?, ?)
  ORDER BY key_id, op LIMIT 1 OFFSET ${STRIDE - 1}`;
const COUNT_BEHIND = 'SELECT count(*) AS count FROM writes WHERE (key_id, op) > (?, ?)';
const NEXT_KEY = 'SELECT key_id FROM writes WHERE key_id > ? ORDER BY key_id LIMIT 1';
const COUNT_OF = 'SELECT count(*) AS count FROM writes WHERE key_id = ?';

export class Crowding {
  readonly #db: SqliteFile;
  /** Records that got an op since they were last looked at. */
  readonly #grown = new Set<number>();
  /** All ops; undefined until somebody has counted them. */
  #count: number | undefined;

  constructor(db: SqliteFile) {
    this.#db = db;
  }

  noteAdded(keyId: number): void {
    this.#grown.add(keyId);
    if (this.#count !== undefined) this.#count += 1;
  }

  noteDropped(count: number): void {
    if (this.#count !== undefined) this.#count -= count;
  }

  /** The tables were replaced. */
  clear(): void {
    this.#grown.clear();
    this.#count = undefined;
  }

  /** Records that grew beyond a limit: `opsMax` of one, with some slack, or `editsMax` of all. */
  *look({ opsMax, editsMax }: HistoryLimits): Steps<Crowded[]> {
    if (this.#grown.size === 0) return [];
    const most = Math.ceil(opsMax * SLACK);
    const crowded: Crowded[] = [];
    const grown = [...this.#grown];
    for (const keyId of grown) {
      if (crowded.length === CROWDED_MAX) return crowded;
      this.#grown.delete(keyId);
      if (this.#db.row(BEYOND, [keyId, most]) !== undefined) crowded.push({ keyId, keep: opsMax });
      yield;
    }
    this.#count ??= yield* this.#countAll();
    if (crowded.length > 0 || this.#count <= editsMax * SLACK) return crowded;
    const longest = yield* this.#longest();
    return longest.map(({ keyId, count }) => ({ keyId, keep: Math.floor(count / 2) }));
  }

  *#countAll(): Steps<number> {
    let last: [number, Uint8Array] = [0, new Uint8Array(0)];
    for (let count = 0; ; count += STRIDE) {
      const end = this.#db.row(STRIDE_END, last);
      if (end === undefined) return count + Number(this.#db.row(COUNT_BEHIND, last)?.['count']);
      last = [end['key_id'] as number, end['op'] as Uint8Array];
      yield;
    }
  }

  *#longest(): Steps<readonly Counted[]> {
    let longest: readonly Counted[] = [];
    let keyId = this.#db.row(NEXT_KEY, [0])?.['key_id'];
    while (typeof keyId === 'number') {
      const count = Number(this.#db.row(COUNT_OF, [keyId])?.['count']);
      if (count >= HALVED_MIN && count > (longest[CROWDED_MAX - 1]?.count ?? 0)) {
        const ranked = [...longest, { keyId, count }].toSorted((a, b) => b.count - a.count);
        longest = ranked.slice(0, CROWDED_MAX);
      }
      yield;
      keyId = this.#db.row(NEXT_KEY, [keyId])?.['key_id'];
    }
    return longest;
  }
}
