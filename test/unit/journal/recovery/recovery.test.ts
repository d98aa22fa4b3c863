import assert from 'node:assert/strict';
import { test } from 'vitest';

import {
  FILE_ROWS,
  type FileEvidence,
  LINK_ROWS,
  type LinkEvidence,
  meets,
  type Row,
  SEAM_ROWS,
  type SeamEvidence,
  TAIL_ROWS,
  type TailEvidence,
} from '../../../../src/journal/recovery/recovery.ts';

type Values<E> = { readonly [K in keyof E]: readonly E[K][] };

/** Every combination of the values. */
function combinations<E extends object>(values: Values<E>): E[] {
  let all: Partial<E>[] = [{}];
  for (const key of Object.keys(values) as (keyof E)[]) {
    all = all.flatMap((partial) => values[key].map((value) => ({ ...partial, [key]: value })));
  }
  return all as E[];
}

function checkTable<E extends object>(rows: readonly Row<E, string>[], values: Values<E>): void {
  const evidences = combinations(values);
  for (const evidence of evidences) {
    const met = rows.filter((row) => meets(row, evidence));
    assert.equal(met.length, 1, `${met.length} rows meet ${JSON.stringify(evidence)}`);
  }
  for (const row of rows) {
    assert.ok(
      evidences.some((evidence) => meets(row, evidence)),
      `no evidence meets ${JSON.stringify(row.when)}`,
    );
  }
}

test('every file meets exactly one row', () => {
  checkTable<FileEvidence>(FILE_ROWS, {
    name: ['segment', 'spare', 'temporary', 'own', 'other'],
    header: ['whole', 'half', 'none', 'newer', 'foreign'],
  });
});

test('every link meets exactly one row', () => {
  checkTable<LinkEvidence>(LINK_ROWS, { older: ['none', 'above', 'equal', 'below'] });
});

test('every seam meets exactly one row', () => {
  checkTable<SeamEvidence>(SEAM_ROWS, {
    here: ['rest', 'no-room', 'bytes'],
    same: ['none', 'expected', 'above'],
    later: ['none', 'reached', 'above'],
  });
});

test('every tail meets exactly one row', () => {
  checkTable<TailEvidence>(TAIL_ROWS, { ended: ['clean', 'crash'], size: ['small', 'large'] });
});
