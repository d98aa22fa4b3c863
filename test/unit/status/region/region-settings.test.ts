/** Settings and rosters are for those whom hubs heed in this, and for nobody below. */
import assert from 'node:assert/strict';
import { test } from 'vitest';

import type { Role } from '../../../../src/model/op.ts';
import type { SendDoor } from '../../../../src/status/region/send-door.ts';
import { rosterAnswer, settingsWishAnswer } from '../../../../src/status/region/region-settings.ts';

const WISHES = [
  [settingsWishAnswer, { site: 'north', set: { log_level: 'debug' } }],
  [rosterAnswer, { site: 'north', roster: 'aGk=' }],
] as const;

/** What the two are answered by a node that refuses whatever is sent. */
async function asked(role: Role): Promise<number[]> {
  const send = (): Promise<{ refused: string }> => Promise.resolve({ refused: 'no such site' });
  const door = { send, sendRoster: send } as unknown as SendDoor;
  const answers = WISHES.map(async ([ask, body]) => {
    return (await ask(door, { body, role, name: 'ana' })).status;
  });
  return Promise.all(answers);
}

test('what a technician wishes is not sent', async () => {
  assert.deepEqual(await asked('technician'), [403, 403]);
});

test.each(['supervisor', 'operator'] as const)('what %s wishes is', async (role) => {
  assert.deepEqual(await asked(role), [409, 409]);
});
