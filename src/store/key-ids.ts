/** Numbers of topics and record keys, with the recent ones at hand. */
import { must } from '../base/assert.ts';
import { textOf, utf8 } from '../base/bytes.ts';
import { HubError } from '../base/errors.ts';
import type { SqliteFile } from './sqlite.ts';

const CACHED_MAX = 4096;

export class KeyIds {
  readonly #db: SqliteFile;
  readonly #cached = new Map<string, number>();

  constructor(db: SqliteFile) {
    this.#db = db;
  }

  find(key: string): number | undefined {
    const cached = this.#cached.get(key);
    if (cached !== undefined) return cached;
    const row = this.#db.row('SELECT id FROM keys WHERE name = ?', [utf8(key)]);
    return row === undefined ? undefined : this.#remember(key, row['id'] as number);
  }

  /** The key's number, a new one where it had none. */
  idOf(key: string): number {
    const known = this.find(key);
    if (known !== undefined) return known;
    const row = this.#db.row('INSERT INTO keys (name) VALUES (?) RETURNING id', [utf8(key)]);
    return this.#remember(key, must(row, 'an insert returns its row')['id'] as number);
  }

  forget(): void {
    this.#cached.clear();
  }

  #remember(key: string, id: number): number {
    if (this.#cached.size >= CACHED_MAX) {
      const [oldest] = this.#cached.keys();
      this.#cached.delete(oldest as string);
    }
    this.#cached.set(key, id);
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
