/**
 * Documents in their table. Those that are being written lie in memory, decoded, and are written back once a transaction,
 * however often they changed; a document is dirty only within an open transaction.
 */
import { HubError, messageOf } from '../../base/errors.ts';
import { CborReader } from '../../codec/reader.ts';
import { CborWriter } from '../../codec/writer.ts';
import { DocFold, type DocState, readHeads, writeHeads } from '../../merge/doc/doc-state.ts';
import type { DocSizes } from '../../merge/doc/full-document.ts';
import type { DocChange } from '../../merge/doc/read-update.ts';
import type { OpId } from '../../merge/op-id.ts';
import { type KeyIds, nameOf } from '../database/key-ids.ts';
import type { SqliteFile, SqlRow } from '../database/sqlite.ts';

/** Documents in memory, and bytes of their states; decoded they take up to thirty times that. */
const DOCS_MAX = 64;
const BYTES_MAX = 1 << 20;
const PUT = 'INSERT OR REPLACE INTO docs (key_id, heads, state) VALUES (?, ?, ?)';
const GET = 'SELECT heads, state FROM docs WHERE key_id = ?';
const ALL = `
  SELECT name, heads, state FROM keys JOIN docs ON docs.key_id = keys.id ORDER BY name`;

interface CachedDoc {
  readonly id: number;
  readonly fold: DocFold;
  /** Of its state when it was read, and of what came since. */
  bytes: number;
}

export class DocTables {
  readonly #db: SqliteFile;
  readonly #keys: KeyIds;
  readonly #docs = new Map<string, CachedDoc>();
  readonly #dirty = new Set<CachedDoc>();
  #bytes = 0;

  constructor(db: SqliteFile, keys: KeyIds) {
    this.#db = db;
    this.#keys = keys;
  }

  merge(key: string, change: DocChange, op: OpId): void {
    const doc = this.#open(key);
    doc.fold.merge(change, op);
    this.#touch(doc, change.bytes);
  }

  join(key: string, state: DocState): void {
    const doc = this.#open(key);
    doc.fold.join(state);
    this.#touch(doc, state.state.length);
  }

  /** The document as it stands; undefined where there is none. */
  get(key: string): DocState | undefined {
    this.flush();
    const id = this.#keys.find(key);
    const row = id === undefined ? undefined : this.#db.row(GET, [id]);
    return row === undefined ? undefined : docOf(row);
  }

  /** Bytes of the document's state, or a little more; 0 where there is none. */
  bytesOf(key: string): number {
    const known = this.#docs.get(key);
    if (known !== undefined) return known.bytes;
    const id = this.#keys.find(key);
    const sql = 'SELECT length(state) AS bytes FROM docs WHERE key_id = ?';
    const row = id === undefined ? undefined : this.#db.row(sql, [id]);
    return (row?.['bytes'] as number | undefined) ?? 0;
  }

  /** Bytes of the document's state, and by how many the update would make it longer. */
  sizesWith(key: string, change: DocChange): DocSizes {
    const doc = this.#open(key);
    if (this.#dirty.has(doc)) this.flush();
    return { bytes: doc.bytes, growth: doc.fold.document.growthBy(change) };
  }

  /** All documents, in ascending byte order of their keys. */
  *all(): Generator<readonly [string, DocState]> {
    this.flush();
    for (const row of this.#db.each(ALL)) yield [nameOf(row['name']), docOf(row)];
  }

  /** Writes what has changed. */
  flush(): void {
    for (const doc of this.#dirty) {
      const { heads, state } = doc.fold.encode();
      const writer = new CborWriter(64);
      writeHeads(writer, heads);
      this.#db.run(PUT, [doc.id, writer.finish(), state]);
      this.#bytes += state.length - doc.bytes;
      doc.bytes = state.length;
    }
    this.#dirty.clear();
  }

  /** Forgets all, written or not: the tables were replaced. */
  clear(): void {
    this.#docs.clear();
    this.#dirty.clear();
    this.#bytes = 0;
  }

  #touch(doc: CachedDoc, bytes: number): void {
    doc.bytes += bytes;
    this.#bytes += bytes;
    this.#dirty.add(doc);
  }

  #open(key: string): CachedDoc {
    const known = this.#docs.get(key);
    if (known !== undefined) return known;
    if (this.#docs.size >= DOCS_MAX || this.#bytes > BYTES_MAX) {
      this.flush();
      this.clear();
    }
    const id = this.#keys.idOf(key);
    const row = this.#db.row(GET, [id]);
    const doc =
      row === undefined
        ? { id, fold: new DocFold(), bytes: 0 }
        : { id, fold: decoded(docOf(row)), bytes: (row['state'] as Uint8Array).length };
    this.#bytes += doc.bytes;
    this.#docs.set(key, doc);
    return doc;
  }
}

export function docOf(row: SqlRow): DocState {
  try {
    const heads = readHeads(new CborReader(row['heads'] as Uint8Array));
    return { heads, state: row['state'] as Uint8Array };
  } catch (error) {
    throw damaged(error);
  }
}

function decoded(state: DocState): DocFold {
  try {
    return DocFold.decode(state);
  } catch (error) {
    throw damaged(error);
  }
}

function damaged(error: unknown): HubError {
  return new HubError('store.damaged', `state database: a document: ${messageOf(error)}`, error);
}
