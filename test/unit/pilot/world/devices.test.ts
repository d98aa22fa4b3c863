import assert from 'node:assert/strict';

import { test } from 'vitest';

import {
  ALARM,
  BULK,
  COMMAND,
  type OpClass,
  perClass,
  PREVIEW,
  TELEMETRY,
} from '../../../../src/model/class.ts';
import type { Origin } from '../../../../src/model/origin.ts';
import { Books } from '../../../../src/pilot/judging/books.ts';
import type { HubLife } from '../../../../src/pilot/lives/hub-life.ts';
import { Devices } from '../../../../src/pilot/world/devices.ts';
import { SeededRandom } from '../../../../src/platform/sim/random.ts';

/** Meters have no more room after a day and a half. */
const MINUTES = 4 * 1_440;
const CLASS_OF: Readonly<Record<string, OpClass>> = {
  alarms: ALARM,
  commands: COMMAND,
  previews: PREVIEW,
  files: BULK,
};

/** A hub that takes what it is given, and counts it. */
function countingHub(): { hub: HubLife; taken: Record<OpClass, number> } {
  const taken = perClass(() => 0);
  const admit = ({ topic }: { topic: string }): unknown => {
    taken[CLASS_OF[topic.split('/')[0] as string] ?? TELEMETRY] += 1;
    return { kind: 'journaled', lsn: 1 };
  };
  const acceptOps = (): unknown => ({ accepted: [], lsn: 0 });
  const serving = { door: { admit, acceptOps }, journal: { lastLsn: 0 } };
  return { hub: { id: '0011223344556677' as Origin, serving } as unknown as HubLife, taken };
}

test('a door keeps its alarms for a hub that is away, however many readings the meters have', () => {
  const books = new Books();
  const devices = new Devices(50, books, new SeededRandom(1));
  for (let minute = 0; minute < MINUTES; minute++) {
    devices.minute(minute, minute * 60_000, true, undefined);
  }
  const { hub, taken } = countingHub();
  devices.handInAll(hub);
  const { born } = books.figures()[ALARM];
  assert.ok(born > 3);
  assert.equal(taken[ALARM], born);
  assert.ok(
    taken[TELEMETRY] < books.figures()[TELEMETRY].born,
    'meters keep no more than they have room for',
  );
});
