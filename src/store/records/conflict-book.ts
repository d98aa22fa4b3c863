/**
 * The conflicts that were met, for people to look at: merge/conflicts.ts finds them, this file remembers which are
 * open, since when, and how many there were. Looking costs a walk over the ops of a record, so it is only done where
 * an op may have changed something; most ops name the write that they replace, and need no look. Of fields that are looked
 * at again and again what counts lies in memory (field-nodes.ts).
 *
 * Where a field is in conflict already, what comes to it is looked at together: before somebody asks, and with the commit. Thirty
 * devices that write a field blindly would cost thirty rows with every write else, and each of them would count as thirty conflicts.
 */
import { hexOf, utf8 } from '../../base/bytes.ts';
import { type Conflict, conflictsAmong, isPlainWrite, nodesOf } from '../../merge/conflicts.ts';
import { decodeOrder, encodeOrder, type WriteOrder, writeOrder } from '../../merge/order.ts';
import type { Patch } from '../../merge/patch.ts';
import type { Flip } from '../../merge/record/undone.ts';
import { forFields } from '../../merge/record/record-ops.ts';
import type { Touched } from '../../merge/record/standing.ts';
import { LOG } from '../../model/class.ts';
import { ADD, ASSET, PATCH, type StampedOp, UNDO } from '../../model/op.ts';
import { type KeyIds, nameOf } from '../database/key-ids.ts';
import type { SqliteFile, SqlRow } from '../database/sqlite.ts';
import { type FieldOp, FieldNodes } from './field-nodes.ts';
import type { StateTables } from '../state/state-tables.ts';

/** A conflict as it was met here. */
export interface MetConflict extends Conflict {
  readonly key: string;
  readonly foundMs: number;
  /** When it was resolved, undone or removed; undefined while it is open. */
  readonly closedMs: number | undefined;
}

/** One record, or all whose keys begin so. */
export type KeysAsked = { readonly key: string } | { readonly prefix: string };

export interface MergeCounts {
  /** Ops on records that were folded. */
  readonly edits: number;
  /** Concurrent writes that met another, ever. */
  readonly conflicts: number;
  /** For people to decide: concurrent ones, and those that a higher role has overruled. */
  readonly open: number;
}

/** A field in conflict to which something has come. */
interface DueField {
  readonly key: string;
  readonly keyId: number;
  readonly field: string;
  /** When the last of it came. */
  readonly atMs: number;
}

const NO_FIELDS: ReadonlySet<string> = new Set();
/** So many wait for their look; it shall hold nobody up. */
const DUE_MAX = 256;
/** Closed conflicts that are remembered, and how many more may be there before the oldest go: that looks at all the old ones. */
const CLOSED_MAX = 10_000;
const CLOSED_SLACK = 1_000;
const INSERT = `
  INSERT OR IGNORE INTO conflicts (key_id, field, kind, winner, loser, found_ms)
  VALUES (?, ?, ?, ?, ?, ?)`;
const REOPEN = `
  UPDATE conflicts SET closed_ms = NULL, kind = ?
  WHERE key_id = ? AND field = ? AND winner = ? AND loser = ?`;
const LIST = `
  SELECT name, field, kind, winner, loser, found_ms, closed_ms
  FROM conflicts JOIN keys ON keys.id = conflicts.key_id
  WHERE (closed_ms IS NULL OR ?) AND kind <> 'agreed' AND (name = ? OR substr(name, 1, length(?)) = ?)
  ORDER BY conflicts.id DESC LIMIT ?`;

const OPEN_IN_FIELD =
  'SELECT * FROM conflicts WHERE key_id = ? AND field = ? AND closed_ms IS NULL';
const LIST_OF_KEY = `
  SELECT field, kind, winner, loser, found_ms FROM conflicts
  WHERE key_id = ? AND closed_ms IS NULL ORDER BY id DESC LIMIT ?`;

export class ConflictBook {
  readonly #db: SqliteFile;
  readonly #keys: KeyIds;
  readonly #tables: StateTables;
  /** Records with an open conflict, and in which fields. */
  readonly #open = new Map<number, Set<string>>();
  readonly #nodes = new FieldNodes();
  readonly #due = new Map<string, DueField>();
  #edits = 0;
  #conflicts = 0;
  /** Since the oldest were forgotten. */
  #closed = 0;

  constructor(db: SqliteFile, keys: KeyIds, tables: StateTables) {
    this.#db = db;
    this.#keys = keys;
    this.#tables = tables;
  }

  /** True where folding the op, which writes `written`, can neither make nor end a conflict; asked before it is folded. */
  isPlain(stamped: StampedOp, written: Patch | undefined): boolean {
    const { key } = stamped.op;
    const open = this.#open.size === 0 ? undefined : this.#open.get(this.#keys.idOf(key));
    return isPlainWrite(stamped, written, {
      isOpen: (field) => open !== undefined && (field === undefined || open.has(field)),
      standingOf: (field) => this.#tables.fieldOrder(key, field),
    });
  }

  /** Takes note of an op on a record that has been folded, of the fields in which what counts has changed, and by what undo. */
  noteFolded(stamped: StampedOp, touched: Touched, flips: readonly Flip[]): void {
    const { kind, key, class: opClass } = stamped.op;
    if (opClass === LOG) return;
    this.#edits += 1;
    if (kind === ADD || this.#nodes.isEmpty) return;
    const keyId = this.#keys.idOf(key);
    if (touched === 'all') this.#nodes.forget(keyId);
    else if (kind === UNDO) this.#nodes.flip(keyId, flips, this.#tables.tombstone(key));
    else if ((kind === PATCH || kind === ASSET) && touched.size > 0) {
      this.#nodes.add(keyId, touched, writeOf(stamped));
    } else this.#nodes.forget(keyId);
  }

  /** What is kept of the record has changed otherwise than by an op that came: stamps do that. */
  lookAnew(key: string, atMs: number): void {
    this.#nodes.forget(this.#keys.idOf(key));
    this.look(key, 'all', atMs);
  }

  /** Compares what is open in the fields that were touched with what is noted; of those in conflict, in a moment. */
  look(key: string, touched: Touched, atMs: number): void {
    const keyId = this.#keys.idOf(key);
    const open = this.#open.get(keyId) ?? NO_FIELDS;
    const names = touched === 'all' ? [...this.#tables.fieldNames(key), ...open] : touched;
    const fields = new Set(names);
    const ops = forFields(this.#tables.opsOf(key), fields.size);
    for (const field of fields) {
      const due = { key, keyId, field, atMs };
      // More of them at once are best looked at while all ops are at hand.
      if (open.has(field) && fields.size <= DUE_MAX) this.#due.set(`${keyId} ${field}`, due);
      else this.#lookAt(due, ops);
    }
    if (this.#due.size > DUE_MAX) this.#settle();
  }

  /** Looks at all that is due; within the transaction in which it came. */
  #settle(): void {
    for (const due of this.#due.values()) this.#lookAt(due);
    this.#due.clear();
  }

  #lookAt({ key, keyId, field, atMs }: DueField, ops = this.#tables.opsOf(key)): void {
    const tombstone = this.#tables.tombstone(key);
    const nodes = this.#nodes.of(keyId, field, (max) => nodesOf(ops, field, tombstone, max));
    const found = conflictsAmong(field, nodes);
    const open = this.#open.get(keyId) ?? new Set();
    if (found.length > 0 || open.has(field)) this.#note(keyId, field, found, atMs);
    if (found.length === 0) open.delete(field);
    else open.add(field);
    if (open.size === 0) this.#open.delete(keyId);
    else this.#open.set(keyId, open);
  }

  #note(keyId: number, field: string, conflicts: readonly Conflict[], atMs: number): void {
    const found = new Map(conflicts.map((conflict) => [nameIn(conflict), conflict]));
    const name = utf8(field);
    for (const row of this.#db.rows(OPEN_IN_FIELD, [keyId, name])) {
      if (found.delete(nameIn(conflictOf(row)))) continue;
      this.#db.run('UPDATE conflicts SET closed_ms = ? WHERE id = ?', [atMs, row['id'] as number]);
      this.#closed += 1;
    }
    if (this.#closed >= CLOSED_SLACK) this.#forgetOldest();
    for (const { kind, winner, loser } of found.values()) {
      const orders = [encodeOrder(winner), encodeOrder(loser)];
      const isNew = this.#db.run(INSERT, [keyId, name, kind, ...orders, atMs]) > 0;
      if (!isNew) this.#db.run(REOPEN, [kind, keyId, name, ...orders]);
      else if (kind === 'concurrent') this.#conflicts += 1;
    }
  }

  /** Conflicts for people to decide, the newest first. */
  list(includeClosed: boolean, limit: number, keys: KeysAsked): MetConflict[] {
    this.#settle();
    const name = 'key' in keys ? utf8(keys.key) : null;
    const prefix = 'prefix' in keys ? utf8(keys.prefix) : null;
    return this.#db.rows(LIST, [includeClosed ? 1 : 0, name, prefix, prefix, limit]).map((row) => ({
      ...conflictOf(row),
      key: nameOf(row['name']),
      foundMs: row['found_ms'] as number,
      closedMs: (row['closed_ms'] as number | null) ?? undefined,
    }));
  }

  /** Open conflicts of one record, those included in which both say the same; the newest first. */
  openAt(key: string, limit: number): MetConflict[] {
    const keyId = this.#keys.find(key);
    this.#settle();
    if (keyId === undefined || !this.#open.has(keyId)) return [];
    return this.#db.rows(LIST_OF_KEY, [keyId, limit]).map((row) => ({
      ...conflictOf(row),
      key,
      foundMs: row['found_ms'] as number,
      closedMs: undefined,
    }));
  }

  counts(): MergeCounts {
    this.#settle();
    const sql = "SELECT count(*) AS n FROM conflicts WHERE closed_ms IS NULL AND kind <> 'agreed'";
    const open = this.#db.row(sql)?.['n'] as number;
    return { edits: this.#edits, conflicts: this.#conflicts, open };
  }

  /** The transaction ends: looks at what is due, and writes the counts down. */
  save(): void {
    this.#settle();
    const sql = 'UPDATE merge_counts SET edits = ?, conflicts = ? WHERE id = 1';
    this.#db.run(sql, [this.#edits, this.#conflicts]);
  }

  /** Reads what is kept in memory: after opening, and when the tables were emptied. */
  load(): void {
    const counts = this.#db.row('SELECT edits, conflicts FROM merge_counts');
    this.#edits = (counts?.['edits'] as number | undefined) ?? 0;
    this.#conflicts = (counts?.['conflicts'] as number | undefined) ?? 0;
    this.#open.clear();
    this.#nodes.clear();
    this.#due.clear();
    const open = 'SELECT DISTINCT key_id, field FROM conflicts WHERE closed_ms IS NULL';
    for (const row of this.#db.rows(open)) {
      const id = row['key_id'] as number;
      this.#open.set(id, (this.#open.get(id) ?? new Set()).add(nameOf(row['field'])));
    }
  }

  #forgetOldest(): void {
    this.#closed = 0;
    this.#db.run(
      `DELETE FROM conflicts WHERE closed_ms IS NOT NULL AND id <=
       (SELECT max(id) FROM conflicts) - ?`,
      [CLOSED_MAX],
    );
  }
}

/** Why the winner prevailed. */
export function whyPrevails(winner: WriteOrder, loser: WriteOrder): 'authority' | 'later' | 'tie' {
  if (winner.authority !== loser.authority) return 'authority';
  const { ms, counter } = winner.hlc;
  return ms === loser.hlc.ms && counter === loser.hlc.counter ? 'tie' : 'later';
}

function writeOf(stamped: StampedOp): FieldOp {
  const { kind, body } = stamped.op;
  return { order: writeOrder(stamped), kind, body };
}

function conflictOf(row: SqlRow): Conflict {
  return {
    field: nameOf(row['field']),
    kind: row['kind'] as Conflict['kind'],
    winner: decodeOrder(row['winner'] as Uint8Array),
    loser: decodeOrder(row['loser'] as Uint8Array),
  };
}

function nameIn({ field, kind, winner, loser }: Conflict): string {
  // The order, not the op alone: another stamp that counts may have changed it.
  return `${kind} ${hexOf(encodeOrder(winner))} ${hexOf(encodeOrder(loser))} ${field}`;
}
