/** What a spreadsheet makes of a cell is what was measured, and never a formula. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import { csvCell } from '../../../../src/status/http/values.ts';

test.each([
  ['21.5', '21.5'],
  ['-5.2', '-5.2'],
  ['+1e-3', '+1e-3'],
  ['=1+1', "'=1+1"],
  ['-5+cmd', "'-5+cmd"],
  ['@sum', "'@sum"],
  ['\t=1', "'\t=1"],
  ['\r=1', '"\'\r=1"'],
  ['a,"b"', '"a,""b"""'],
  [Uint8Array.of(0xff, 0xfe), '//4='],
])('%j', (value, cell) => {
  assert.equal(csvCell(value), cell);
});
