/** The crash scenarios of test/fault with many seeds. */
import { test } from 'vitest';

import { crashAfterEveryOperation, longLife, shortLives } from '../fault/journal-scenarios.ts';

test.each([longLife, shortLives])('%O: hundreds of seeds', async (scenario) => {
  await crashAfterEveryOperation(
    scenario,
    Array.from({ length: 200 }, (_, index) => index + 1),
    'sealed',
  );
});
