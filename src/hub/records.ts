/** Records for people: queries of the store, and wishes of people as ops of this hub. */
import { messageOf } from '../base/errors.ts';
import { hexOf } from '../base/bytes.ts';
import { isoTime } from '../base/iso-time.ts';
import { decodeCbor } from '../codec/reader.ts';
import type { CborValue } from '../codec/value.ts';
import { encodeCbor } from '../codec/writer.ts';
import { cborOfJson, jsonOfCbor, type JsonValue } from '../codec/json.ts';
import {
  jsonOfDoc,
  jsonOfEntry,
  type JsonObject,
  jsonOfOrder,
  jsonOfStep,
  jsonOfTime,
  jsonOfVersion,
  mapped,
  numberOf,
  roleOf,
} from './record-json.ts';
import type { HubStore } from './storage/store.ts';
import type { Telling } from './sync/telling.ts';
import type { Door } from '../ingest/door/door.ts';
import type { Journal } from '../journal/journal.ts';
import { ASSET_FIELD, encodeAssetVersion, readAssetVersion } from '../merge/asset/asset-version.ts';
import { isDispute } from '../merge/conflicts.ts';
import { Document } from '../merge/doc/document.ts';
import { type OpId, opIdOfText, textOfOpId } from '../merge/op-id.ts';
import { compareTimes, type WriteOrder } from '../merge/order.ts';
import { encodePatch, encodeUndo, readPatch, VALUE_DEPTH_MAX } from '../merge/patch.ts';
import { kindOfField } from '../merge/record/record-ops.ts';
import { readRegisterWrites } from '../merge/register-writes.ts';
import { RECORD } from '../model/class.ts';
import {
  ASSET,
  AUTHORITY,
  OWN_BODY_BYTES_MAX,
  type Kind,
  PATCH,
  type Role,
  UNDO,
} from '../model/op.ts';
import type { Origin } from '../model/origin.ts';
import type { Mended, RecordDoor } from '../status/api/records.ts';
import { type MetConflict, whyPrevails } from '../store/records/conflict-book.ts';
import type { Records } from '../store/records/records.ts';

interface HubRecordsOptions {
  readonly store: Pick<HubStore, 'state' | 'whenApplied'>;
  readonly door: Pick<Door, 'journalOp' | 'roomRefusal'>;
  readonly journal: Pick<Journal, 'whenDurable'>;
  readonly notices: Telling;
  readonly id: Origin;
}

const PER_THOUSAND = 1_000;
const TITLE_FIELDS = ['title', 'name'];
const NOTHING = new Uint8Array(0);

export class HubRecords implements RecordDoor {
  readonly #options: HubRecordsOptions;

  constructor(options: HubRecordsOptions) {
    this.#options = options;
  }

  get(key: string): JsonObject | undefined {
    const { fields, counters, asset } = this.#records.get(key);
    const doc = this.#records.doc(key);
    const isEmpty = fields.size === 0 && counters.size === 0;
    if (isEmpty && asset === undefined && doc === undefined) return undefined;
    return {
      fields: mapped(fields, ({ value }) => jsonOfCbor(value)),
      counters: mapped(counters, ({ total }) => numberOf(total)),
      ...(asset === undefined
        ? {}
        : { asset: { ...jsonOfOrder(asset.order), ...jsonOfVersion(asset.value) } }),
      ...(doc === undefined ? {} : { doc: jsonOfDoc(doc) }),
    };
  }

  doc(key: string): Uint8Array | undefined {
    const doc = this.#records.doc(key);
    return doc === undefined ? undefined : Document.decode(doc.state).update();
  }

  keys(prefix: string, after: string, limit: number): readonly string[] {
    return this.#records.keys(prefix, after, limit);
  }

  history(key: string, limit: number): readonly JsonObject[] {
    const ops = this.#records
      .history(key, limit)
      .map((entry) => ({ entry, json: jsonOfEntry(entry) }));
    const steps = this.#records.docSteps(key).map((entry) => ({ entry, json: jsonOfStep(entry) }));
    return [...ops, ...steps]
      .toSorted((a, b) => compareTimes(a.entry.order, b.entry.order))
      .slice(-limit)
      .map(({ entry, json }) => ({ ...json, ...jsonOfTime(this.#records.timeOf(entry.order)) }));
  }

  conflicts(query: Parameters<RecordDoor['conflicts']>[0]): JsonObject {
    const { includeClosed, limit, keys, mayRead } = query;
    const { edits, conflicts, open } = this.#records.counts();
    const met = this.#records
      .conflicts(includeClosed, limit, keys)
      .filter(({ key }) => mayRead(key));
    return {
      edits,
      met: conflicts,
      open,
      perThousandEdits: edits === 0 ? 0 : (conflicts * PER_THOUSAND) / edits,
      conflicts: met.map((conflict) => this.#jsonOfConflict(conflict)),
    };
  }

  async undo({ op, cascade, role, mayRead }: Parameters<RecordDoor['undo']>[0]): Promise<Mended> {
    const target = opIdOfText(op);
    if (target === undefined) {
      const reason = `${op} is no op; they are <origin>/<class>/<seq>`;
      return { kind: 'malformed', reason };
    }
    const authority = AUTHORITY[role];
    const { key, plan } = this.#records.planUndo({ target, authority, cascade });
    if (plan.kind === 'refused') return plan;
    if (key === undefined || !mayRead(key)) return refused('you may not read this record');
    return this.#write(key, UNDO, encodeUndo(plan.targets), role, {
      undone: plan.targets.map((id) => textOfOpId(id)),
    });
  }

  async resolve(wish: Parameters<RecordDoor['resolve']>[0]): Promise<Mended> {
    const { key, field, role } = wish;
    const conflicts = this.#openConflicts(key, field);
    const first = conflicts.find((conflict) => isDispute(conflict));
    const place = field === ASSET_FIELD ? 'its asset' : field;
    if (first === undefined) return refused(`${key} has no open conflict in ${place}`);
    const { winner } = first;
    if (winner.authority > AUTHORITY[role]) {
      return refused(`what stands was written by role ${roleOf(winner)}`);
    }
    const seen = [winner, ...conflicts.map(({ loser }) => loser)];
    const taken = 'take' in wish ? seen.find((op) => textOfOpId(op) === wish.take) : undefined;
    if ('take' in wish && taken === undefined) {
      return refused(`${wish.take} is in no open conflict in ${place} of ${key}`);
    }
    if (field === ASSET_FIELD) {
      return this.#resolveAsset(wish, 'take' in wish ? wish.take : wish.value, seen);
    }
    let body: Uint8Array;
    let value: CborValue;
    try {
      value =
        taken === undefined
          ? cborOfJson('value' in wish ? wish.value : null, VALUE_DEPTH_MAX)
          : decodeCbor(this.#writtenBy(taken, key, field).value ?? NOTHING);
      body = encodePatch({ [field]: value }, { [field]: seen });
    } catch (error) {
      return refused(`the value cannot be kept: ${messageOf(error)}`);
    }
    if (body.length > OWN_BODY_BYTES_MAX || readPatch(body) === undefined) {
      return refused('the value, or the conflict, is too large');
    }
    const answer = { key, field, value: jsonOfCbor(encodeCbor(value)) };
    return this.#write(key, PATCH, body, role, answer);
  }

  /** Lets one of the versions stand, having seen all that are in conflict. */
  async #resolveAsset(
    { key, role }: Parameters<RecordDoor['resolve']>[0],
    value: JsonValue,
    base: OpId[],
  ): Promise<Mended> {
    const version = this.#records
      .versions(key)
      .map(({ order, body }) => ({ op: textOfOpId(order), version: readAssetVersion(body) }))
      .find(
        (each) => each.op === value || hexOf(each.version?.sha256 ?? NOTHING) === value,
      )?.version;
    if (version === undefined) return refused(`${key} has no version ${JSON.stringify(value)}`);
    const body = encodeAssetVersion({ ...version, base });
    if (readAssetVersion(body) === undefined) return refused('the conflict is too large');
    return this.#write(key, ASSET, body, role, { key, sha256: hexOf(version.sha256) });
  }

  get #records(): Records {
    return this.#options.store.state.records;
  }

  #openConflicts(key: string, field: string): MetConflict[] {
    const all = this.#records.openConflicts(key, Number.MAX_SAFE_INTEGER);
    return all.filter((conflict) => conflict.field === field);
  }

  async #write(
    key: string,
    kind: Kind,
    body: Uint8Array,
    role: Role,
    answer: JsonObject,
  ): Promise<Mended> {
    const { door, journal, store, notices, id } = this.#options;
    // To look through ten thousand ops would take longer than a person's undo may (merge/MERGE.md §3).
    const full = kind === UNDO ? undefined : door.roomRefusal({ kind, key, body });
    if (full !== undefined) return refused(full.reason);
    const { lsn, seq } = door.journalOp({ class: RECORD, key, kind, body, role });
    notices.came({ origin: id, class: RECORD, seq, kind, key, body }, lsn);
    await journal.whenDurable(lsn);
    await store.whenApplied(lsn);
    const op = textOfOpId({ origin: id, class: RECORD, seq });
    return { kind: 'done', answer: { op, ...answer, record: this.get(key) ?? null } };
  }

  /** What an op wrote into a field, or what it came to below the horizon; by what kind of op. */
  #writtenBy(
    order: OpId,
    key: string,
    field: string,
  ): { readonly wrote: Kind; readonly value: Uint8Array | undefined } {
    const write = this.#records.write(key, order);
    const { kind: wrote = kindOfField(field), body = NOTHING } = write ?? {};
    const folded =
      write === undefined ? this.#records.base(key).fields.get(field)?.value : undefined;
    return { wrote, value: folded ?? readRegisterWrites(wrote, body)?.fields.get(field) };
  }

  /** What people call the record, where it says so itself. */
  #titleOf(key: string): string | null {
    const { fields } = this.#records.get(key);
    for (const name of TITLE_FIELDS) {
      const write = fields.get(name);
      const text = write === undefined ? undefined : jsonOfCbor(write.value);
      if (typeof text === 'string' && text !== '') return text;
    }
    return null;
  }

  #jsonOfConflict(conflict: MetConflict): JsonObject {
    const { key, field, kind, winner, loser, foundMs, closedMs } = conflict;
    const sideOf = (order: WriteOrder): JsonObject => {
      const { wrote, value } = this.#writtenBy(order, key, field);
      const told = { ...jsonOfOrder(order), ...jsonOfTime(this.#records.timeOf(order)) };
      if (value === undefined) return { ...told, value: null };
      return { ...told, value: wrote === ASSET ? jsonOfVersion(value) : jsonOfCbor(value) };
    };
    return {
      key,
      title: this.#titleOf(key),
      field,
      piece: field === ASSET_FIELD ? 'asset' : 'field',
      kind,
      why: whyPrevails(winner, loser),
      winner: sideOf(winner),
      loser: sideOf(loser),
      foundAt: isoTime(foundMs),
      closedAt: closedMs === undefined ? null : isoTime(closedMs),
    };
  }
}

function refused(reason: string): Mended {
  return { kind: 'refused', reason };
}
