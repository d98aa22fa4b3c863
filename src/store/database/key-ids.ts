/** Numbers of topics and record keys, with the recent ones at hand. */
import { textOf, utf8 } from '../../base/bytes.ts';
import { HubError } from '../../base/errors.ts';
import type { SqliteFile } from './sqlite.ts';

/** Twice as many lie here at most, and twice as much text: a key may have 1,024 bytes. */
const YOUNG_MAX = 16_384;
const YOUNG_LENGTH_MAX = 2 << 20;

export class KeyIds {
  readonly #db: SqliteFile;
  /** What was asked for since the older ones were put aside. */
  #young = new Map<string, number>();
  /** Of all their texts. */
  #youngLength = 0;
  #older: ReadonlyMap<string, number> = new Map();
  /** What was asked for last: of one op it is asked half a dozen times. */
  #recentKey = '';
  #recentId: number | undefined;

  constructor(db: SqliteFile) {
    this.#db = db;
  }

  find(key: string): number | undefined {
    if (key === this.#recentKey && this.#recentId !== undefined) return this.#recentId;
    const id = this.#find(key);
    this.#recentKey = key;
    this.#recentId = id;
    return id;
  }

  /** The key's number, a new one where it had none. */
  idOf(key: string): number {
    return this.find(key) ?? this.add(key);
  }

  /** A number for a key of which `find` knows none. */
  add(key: string): number {
    const id = this.#db.insert('INSERT INTO keys (name) VALUES (?)', [utf8(key)]);
    this.#recentKey = key;
    this.#recentId = id;
    return this.#remember(key, id);
  }

  forget(): void {
    this.#young.clear();
    this.#youngLength = 0;
    this.#older = new Map();
    this.#recentId = undefined;
  }

  #find(key: string): number | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const older = this.#older.get(key);
    if (older !== undefined) return this.#remember(key, older);
    const row = this.#db.row('SELECT id FROM keys WHERE name = ?', [utf8(key)]);
    return row === undefined ? undefined : this.#remember(key, row['id'] as number);
  }

  #remember(key: string, id: number): number {
    if (this.#young.size >= YOUNG_MAX || this.#youngLength + key.length > YOUNG_LENGTH_MAX) {
      this.#older = this.#young;
      this.#young = new Map();
      this.#youngLength = 0;
    }
    this.#young.set(key, id);
    this.#youngLength += key.length;
    return id;
  }
}

/** The text of a name column. */
export function nameOf(bytes: unknown): string {
  const name = bytes instanceof Uint8Array ? textOf(bytes) : undefined;
  if (name === undefined)
    throw new HubError('store.damaged', 'state database: a name is not UTF-8');
  return name;
}
