import assert from 'node:assert/strict';
import { test } from 'vitest';

import * as model from '../../../src/model/class.ts';
import * as power from '../../../src/power/class.ts';

test('power and model mean the same classes, though neither imports the other', () => {
  assert.deepEqual(power.CLASS_NAMES, model.CLASS_NAMES);
  assert.deepEqual(power.CLASSES, model.CLASSES);
});
