/** The worked records of MERGE.md §8, read from there and folded in every order of arrival. */
import assert from 'node:assert/strict';

import { describe, it } from 'vitest';

import { utf8 } from '../../../src/base/bytes.ts';
import { must } from '../../../src/base/assert.ts';
import {
  ASSET_FIELD,
  encodeAssetVersion,
  readAssetVersion,
} from '../../../src/merge/asset/asset-version.ts';
import { decodeCbor } from '../../../src/codec/reader.ts';
import { conflictsOf } from '../../../src/merge/conflicts.ts';
import { fold } from '../../../src/merge/fold.ts';
import { MemoryState } from '../../../src/merge/state/memory-state.ts';
import { type OpId, textOfOpId } from '../../../src/merge/op-id.ts';
import { encodeAdd, encodePatch, encodeUndo } from '../../../src/merge/patch.ts';
import { planUndo } from '../../../src/merge/undo.ts';
import { ADD, ASSET, AUTHORITY, type StampedOp, UNDO } from '../../../src/model/op.ts';
import type { Origin } from '../../../src/model/origin.ts';
import { whyPrevails } from '../../../src/store/records/conflict-book.ts';
import { type OpParts, patchOp, removeOp, stampedOp } from '../../support/made/ops.ts';
import { readText } from '../../tidy/tree.ts';

type Row = readonly string[];

const KEY = 'pump';
const OPS_HEAD = 'op writer authority time does seen';
const OUTCOMES_HEAD = 'of these the record reads in conflict undo';

/** Tables of the section, without their heads, by what these say. */
function tables(): { readonly head: string; readonly rows: readonly Row[] }[] {
  const text = readText('src/merge/MERGE.md');
  const section = must(/^## 8\. [^]*?(?=^## 9\.)/m.exec(text)?.[0], 'there is a §8');
  const blocks = section.match(/(?:^\|.*\n)+/gm) ?? [];
  return blocks.map((block) => {
    const [head = [], , ...rows] = block
      .trim()
      .split('\n')
      .map((line) =>
        line
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      );
    return { head: head.join(' '), rows };
  });
}

function opsIn(rows: readonly Row[]): Map<string, StampedOp> {
  const ops = new Map<string, StampedOp>();
  const seqs = new Map<string, number>();
  const idsOf = (names: string): OpId[] =>
    names.split(' ').map((name) => must(ops.get(name), `op ${name}`).op);
  for (const [name = '', writer = '', authority, time = '', does = '', seen = ''] of rows) {
    const [hours = 0, minutes = 0] = time.split(':').map(Number);
    const seq = (seqs.get(writer) ?? 0) + 1;
    seqs.set(writer, seq);
    const parts: OpParts = {
      origin: Buffer.from(writer.padEnd(8)).toString('hex') as Origin,
      class: 2,
      key: KEY,
      seq,
      atMs: (hours * 60 + minutes) * 60_000,
      authority: Number(authority),
    };
    const known = seen === '-' ? undefined : seen === 'nothing' ? [] : idsOf(seen);
    ops.set(name, opOf(does, parts, known, idsOf));
  }
  return ops;
}

function opOf(
  does: string,
  parts: OpParts,
  seen: readonly OpId[] | undefined,
  idsOf: (names: string) => OpId[],
): StampedOp {
  const [verb = '', what = ''] = does.split(/ (.*)/);
  const value: unknown = what.startsWith('`') ? JSON.parse(what.slice(1, -1)) : undefined;
  if (verb === 'removes') return removeOp(parts);
  if (verb === 'undoes') return stampedOp({ ...parts, kind: UNDO, body: encodeUndo(idsOf(what)) });
  if (verb === 'photographs') {
    const sha256 = utf8(String(value).padEnd(32));
    const version = { sha256, size: 1, type: 'image/png', ...(seen && { base: seen }) };
    return stampedOp({ ...parts, kind: ASSET, body: encodeAssetVersion(version) });
  }
  const fields = value as Record<string, number>;
  if (verb === 'adds') return stampedOp({ ...parts, kind: ADD, body: encodeAdd(fields) });
  assert.equal(verb, 'sets');
  const seenByField = seen && Object.fromEntries(Object.keys(fields).map((field) => [field, seen]));
  return patchOp({}, { ...parts, body: encodePatch(fields, seenByField) });
}

/** As the tables say it. */
function readingOf(state: MemoryState): unknown {
  const fields = state.record(KEY);
  const asset = fields.get(ASSET_FIELD);
  if (asset !== undefined) {
    return Buffer.from(must(readAssetVersion(asset.value), 'a version').sha256)
      .toString()
      .trim();
  }
  const values = [...fields].map(([field, { value }]): [string, unknown] => [
    field,
    decodeCbor(value),
  ]);
  const sums = [...state.countersOf(KEY)].map(([field, { total }]): [string, unknown] => [
    field,
    Number(total),
  ]);
  return Object.fromEntries([...values, ...sums]);
}

function conflictsIn(state: MemoryState, nameOf: (id: OpId) => string): string {
  const told = conflictsOf(state.writes(KEY)).map(({ kind, winner, loser }) => {
    const why = whyPrevails(winner, loser);
    return `${nameOf(loser)} ${kind} with ${nameOf(winner)}, won by ${why}`;
  });
  return told.join('; ') || '-';
}

function checkOutcome(ops: ReadonlyMap<string, StampedOp>, row: Row): void {
  const [names = '', reading = '', conflicts, undo = ''] = row;
  const nameById = new Map([...ops].map(([name, { op }]) => [textOfOpId(op), name]));
  const nameOf = (id: OpId): string => must(nameById.get(textOfOpId(id)), 'an op of the table');
  for (const order of permutations(names.split(' '))) {
    const state = new MemoryState();
    for (const name of order) fold(state, must(ops.get(name), `op ${name}`));
    assert.deepEqual(readingOf(state), JSON.parse(reading.slice(1, -1)), order.join(' '));
    assert.equal(conflictsIn(state, nameOf), conflicts, order.join(' '));
    if (undo === '-') continue;
    const [name = '', reason = ''] = undo.split(': ');
    const target = must(ops.get(name), `op ${name}`).op;
    const asked = { target, authority: AUTHORITY.operator, cascade: false };
    const plan = planUndo(state.opsOf(KEY), asked);
    const told = plan.kind === 'refused' ? plan.reason : 'it may be undone';
    assert.ok(told.startsWith(reason), `${names}: ${told}`);
  }
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, index) =>
    permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]),
  );
}

describe('the worked records of MERGE.md', () => {
  const all = tables();

  it('are pairs of ops and what they come to', () => {
    assert.ok(all.length >= 12, `${all.length} tables`);
    const heads = all.map(({ head }) => head);
    assert.deepEqual(
      heads,
      heads.map((_, at) => (at % 2 === 0 ? OPS_HEAD : OUTCOMES_HEAD)),
    );
  });

  const outcomes = all.flatMap(({ rows }, at) =>
    at % 2 === 0 ? [] : rows.map((row) => ({ of: all[at - 1]?.rows ?? [], row })),
  );
  it.each(outcomes)('come to what is said in $row', ({ of, row }) => {
    checkOutcome(opsIn(of), row);
  });
});
