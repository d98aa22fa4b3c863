/** What the store says of records, as JSON for people: ops, versions of assets, documents, times and roles. */
import { hexOf } from '../base/bytes.ts';
import { isoTime } from '../base/iso-time.ts';
import { jsonOfCbor, type JsonValue } from '../codec/json.ts';
import { ASSET_FIELD, type AssetVersion, readAssetVersion } from '../merge/asset/asset-version.ts';
import type { DocState } from '../merge/doc/doc-state.ts';
import { Document } from '../merge/doc/document.ts';
import { type OpId, textOfOpId } from '../merge/op-id.ts';
import type { WriteOrder } from '../merge/order.ts';
import { readAdd, readPatch, readUndo } from '../merge/patch.ts';
import { NO_BASE, readHorizon } from '../merge/record/horizon.ts';
import {
  ADD,
  ASSET,
  AUTHORITY,
  CONTROL,
  DOC,
  KIND_NAMES,
  type Kind,
  PATCH,
  type Role,
  UNDO,
} from '../model/op.ts';
import type { DocStep } from '../store/records/doc-log.ts';
import type { HistoryEntry } from '../store/records/records.ts';
import type { OpTime } from '../store/times/boot-times.ts';

export type JsonObject = Readonly<Record<string, JsonValue>>;

const ROLE_BY_AUTHORITY: ReadonlyMap<number, Role> = new Map(
  Object.entries(AUTHORITY).map(([role, rank]) => [rank, role as Role]),
);

export function roleOf({ authority }: Pick<WriteOrder, 'authority'>): Role {
  return ROLE_BY_AUTHORITY.get(authority) ?? 'device';
}

export function jsonOfEntry(entry: HistoryEntry): JsonObject {
  const { order, kind, body, isUndone } = entry;
  return {
    ...jsonOfOrder(order),
    kind: KIND_NAMES[kind],
    undone: isUndone,
    ...jsonOfBody(kind, body),
  };
}

/** A step in a document: taking it back is an inverse step, which only a device can make. */
export function jsonOfStep({ order, bytes }: DocStep): JsonObject {
  return { ...jsonOfOrder(order), kind: KIND_NAMES[DOC], undone: false, bytes };
}

/** Where the maker's clock was not set: what is known of the time since, and how well. */
export function jsonOfTime(time: OpTime | undefined): JsonObject {
  if (time === undefined) return {};
  const { quality, atMs } = time;
  return atMs === undefined ? { clock: quality } : { clock: quality, at: isoTime(atMs) };
}

function jsonOfBody(kind: Kind, body: Uint8Array): JsonObject {
  const names = (ids: readonly OpId[]): string[] => ids.map((id) => textOfOpId(id));
  if (kind === ADD) return { add: mapped(readAdd(body) ?? new Map(), numberOf) };
  if (kind === UNDO) return { undoes: names(readUndo(body) ?? []) };
  if (kind === ASSET) return { asset: jsonOfVersion(body) };
  if (kind === CONTROL) return jsonOfHorizon(body);
  if (kind !== PATCH) return {};
  const { fields, seen } = readPatch(body) ?? { fields: new Map(), seen: new Map() };
  return { fields: mapped(fields, jsonOfCbor), seen: mapped(seen, names) };
}

/** What older ops came to, and which they were. */
function jsonOfHorizon(body: Uint8Array): JsonObject {
  const { vector, fields } = readHorizon(body) ?? NO_BASE;
  const values = new Map([...fields].filter(([field]) => field !== ASSET_FIELD));
  const standsFor = Object.fromEntries(vector);
  return { standsFor, fields: mapped(values, ({ value }) => jsonOfCbor(value)) };
}

/** What a version names and hints at. */
export function jsonOfVersion(body: Uint8Array): JsonObject {
  const version = readAssetVersion(body);
  if (version === undefined) return {};
  const { sha256, base, size, type, note, tags, region }: AssetVersion = version;
  return {
    sha256: hexOf(sha256),
    size,
    type,
    ...(base === undefined ? {} : { base: base.map((id) => textOfOpId(id)) }),
    ...(note === undefined ? {} : { note }),
    ...(tags === undefined ? {} : { tags }),
    ...(region === undefined ? {} : { region }),
  };
}

export function jsonOfDoc({ heads, state }: DocState): JsonObject {
  const ops = Object.fromEntries(heads);
  return { bytes: state.length, ...Document.decode(state).summary(), lastOps: ops };
}

export function jsonOfOrder(order: WriteOrder): JsonObject {
  return {
    op: textOfOpId(order),
    at: isoTime(order.hlc.ms),
    role: roleOf(order),
  };
}

export function mapped<T>(
  values: ReadonlyMap<string, T>,
  render: (value: T) => JsonValue,
): JsonObject {
  return Object.fromEntries([...values].map(([name, value]) => [name, render(value)]));
}

/** Beyond 2^53 as text, so that nothing is rounded. */
export function numberOf(total: bigint): JsonValue {
  const number = Number(total);
  return Number.isSafeInteger(number) ? number : String(total);
}
