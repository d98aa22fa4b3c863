import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';

import { planBudget } from '../../src/power/forecast/budget.ts';
import { CLASSES, LOG, type OpClass } from '../../src/model/class.ts';
import { DEADLINES_MS } from '../../src/power/backlog.ts';
import type { Permission } from '../../src/power/govern/decision.ts';
import type { BatteryEstimate } from '../../src/power/estimate/estimator.ts';
import { type LinkKind, LINK_COSTS } from '../../src/power/govern/energy.ts';
import {
  decide,
  FIRST_MEMORY,
  govern,
  type GovernorMemory,
} from '../../src/power/govern/governor.ts';
import { patienceMs } from '../../src/power/govern/permission.ts';
import { DWELL_MS, type LevelState, rankOf } from '../../src/power/govern/power-state.ts';
import { backlogOf, estimateOf, inputOf, LFP } from '../unit/power/support.ts';

const TICK_MS = 10_000;
/** Above the level at which alarms stop: a last call may be made there. */
const LAST_CALL_POINTS = 1.5;

/** Any weather of the sensors: levels, gaps, sudden sun, curtailment that comes and goes. */
const anyTick = fc.record({
  socPct: fc.option(fc.double({ min: 0, max: 100, noNaN: true }), { nil: undefined, freq: 12 }),
  pvW: fc.option(fc.double({ min: 0, max: 60, noNaN: true }), { nil: undefined }),
  curtailed: fc.boolean(),
});

const anyBacklog = fc
  .array(fc.option(fc.nat(8 * 86_400_000), { nil: undefined }), { minLength: 7, maxLength: 7 })
  .map((ages) =>
    backlogOf(
      Object.fromEntries(
        ages.flatMap((oldestMs, opClass) =>
          oldestMs === undefined ? [] : [[opClass, { oldestMs }]],
        ),
      ),
    ),
  );

function estimateOfTick(
  tick: { socPct: number | undefined; pvW: number | undefined; curtailed: boolean },
  nowMs: number,
): BatteryEstimate {
  const pv = tick.pvW === undefined ? {} : { pvW: tick.pvW, loadW: 5 };
  return estimateOf(tick.socPct, nowMs, {
    ...pv,
    curtailed: tick.curtailed && tick.socPct !== undefined,
  });
}

test('the state never flaps, whatever the sensors say', () => {
  fc.assert(
    fc.property(fc.array(anyTick, { minLength: 30, maxLength: 400 }), (ticks) => {
      let memory: GovernorMemory = FIRST_MEMORY;
      let changedMs = -Infinity;
      ticks.forEach((tick, index) => {
        const nowMs = index * TICK_MS;
        const input = inputOf(undefined, nowMs, { estimate: estimateOfTick(tick, nowMs) });
        const before = memory.power.state;
        memory = govern(input, memory).memory;
        const { state } = memory.power;
        if (state === before) return;
        const dwelt = nowMs - changedMs >= DWELL_MS;
        const down = before !== 'unknown' && state === 'critical';
        const cautious = state === 'unknown' || state === 'shutdown' || down;
        assert.ok(dwelt || cautious, `${before} to ${state} after ${nowMs - changedMs} ms`);
        changedMs = nowMs;
      });
    }),
    { numRuns: 60 },
  );
});

test('noise within the hysteresis around any level changes the state at most once', () => {
  const anyNoise = fc.array(fc.double({ min: -3.9, max: 3.9, noNaN: true }), {
    minLength: 400,
    maxLength: 400,
  });
  fc.assert(
    fc.property(fc.double({ min: 4, max: 96, noNaN: true }), anyNoise, (level, noise) => {
      let memory: GovernorMemory = FIRST_MEMORY;
      let changes = 0;
      noise.forEach((offset, index) => {
        const before = memory.power.state;
        memory = govern(inputOf(level + offset, index * TICK_MS), memory).memory;
        if (before !== 'unknown' && memory.power.state !== before) changes += 1;
      });
      assert.ok(changes <= 1, `${changes} changes around ${level} %`);
    }),
    { numRuns: 60 },
  );
});

const RANK: Record<Permission, number> = { no: 0, ride: 1, deadline: 2, budget: 3, now: 4 };

test('more charge never allows less: constant levels from any common past', () => {
  const anyLevel = fc.double({ min: 0, max: 100, noNaN: true });
  fc.assert(
    fc.property(
      fc.array(anyTick, { maxLength: 60 }),
      anyLevel,
      anyLevel,
      anyBacklog,
      (past, a, b, backlog) => {
        let memory: GovernorMemory = FIRST_MEMORY;
        past.forEach((tick, index) => {
          const nowMs = index * TICK_MS;
          memory = govern(
            inputOf(undefined, nowMs, { estimate: estimateOfTick(tick, nowMs) }),
            memory,
          ).memory;
        });
        const after = (level: number): ReturnType<typeof govern> => {
          let verdict = govern(inputOf(level, past.length * TICK_MS, { backlog }), memory);
          for (let i = 1; i < 100; i++) {
            verdict = govern(
              inputOf(level, (past.length + i) * TICK_MS, { backlog }),
              verdict.memory,
            );
          }
          return verdict;
        };
        const less = after(Math.min(a, b)).decision;
        const more = after(Math.max(a, b)).decision;
        assert.ok(rankOf(less.state as LevelState) <= rankOf(more.state as LevelState));
        for (const opClass of CLASSES) {
          assert.ok(RANK[less.permissions[opClass]] <= RANK[more.permissions[opClass]]);
          assert.ok(!less.allowed.includes(opClass) || more.allowed.includes(opClass));
        }
      },
    ),
    { numRuns: 100 },
  );
});

test('a higher class never waits behind a lower one, and nothing goes in shutdown', () => {
  fc.assert(
    fc.property(
      fc.array(anyTick, { minLength: 1, maxLength: 120 }),
      anyBacklog,
      (ticks, backlog) => {
        let memory: GovernorMemory = FIRST_MEMORY;
        ticks.forEach((tick, index) => {
          const nowMs = index * TICK_MS;
          const input = inputOf(undefined, nowMs, {
            estimate: estimateOfTick(tick, nowMs),
            backlog,
          });
          const { decision, memory: next } = govern(input, memory);
          memory = next;
          const isPrefix = (classes: readonly OpClass[]): boolean =>
            classes.every((opClass, at) => opClass === at);
          assert.ok(isPrefix(decision.allowed), `allowed ${decision.allowed.join()}`);
          const riding = decision.riding.filter((it) => it !== 6);
          assert.ok(isPrefix(riding), `riding ${decision.riding.join()}`);
          assert.ok(decision.allowed.every((opClass) => decision.riding.includes(opClass)));
          assert.ok(!decision.allowed.includes(6), 'the log never opens a session');
          if (decision.state === 'shutdown') assert.deepEqual(decision.riding, []);
          for (const opClass of CLASSES) {
            const waits = backlog[opClass].ops > 0 && !decision.allowed.includes(opClass);
            assert.equal(
              decision.deferred.some((it) => it.class === opClass),
              waits,
            );
          }
          assert.deepEqual(decide(input, memory), decision, 'deciding again moves nothing');
        });
      },
    ),
    { numRuns: 60 },
  );
});

test('alarms go in every state but shutdown', () => {
  fc.assert(
    fc.property(fc.array(anyTick, { minLength: 1, maxLength: 80 }), (ticks) => {
      let memory: GovernorMemory = FIRST_MEMORY;
      ticks.forEach((tick, index) => {
        const nowMs = index * TICK_MS;
        const verdict = govern(
          inputOf(undefined, nowMs, { estimate: estimateOfTick(tick, nowMs) }),
          memory,
        );
        memory = verdict.memory;
        assert.equal(verdict.decision.allowed.includes(0), verdict.decision.state !== 'shutdown');
      });
    }),
    { numRuns: 60 },
  );
});

const anySun = fc.record({ watts: fc.double({ min: 0, max: 60, noNaN: true }), dark: fc.nat(24) });

test('with a budget: never below the reserve by its own doing, and the order of classes holds', () => {
  const anyLink = fc.constantFrom<LinkKind>('ethernet', 'wifi', 'cellular', 'satellite');
  const anyLevel = fc.double({ min: 0, max: 100, noNaN: true });
  const anyHand = fc.option(fc.constant(1e9), { nil: undefined });
  fc.assert(
    fc.property(
      anyLevel,
      anySun,
      anyLink,
      anyBacklog,
      anyHand,
      (level, sun, linkKind, backlog, byHandUntilMs) => {
        const ahead = Array.from({ length: 36 }, (_, hour) => {
          const medianWatts = hour >= sun.dark && hour < sun.dark + 10 ? sun.watts : 0;
          return { wallMs: hour * 3_600_000, medianWatts, lowWatts: medianWatts / 2 };
        });
        const figures = { capacityWh: 256, baseWatts: 3.2, alarmsStopPct: 15, floorPct: 15, ahead };
        const budget = planBudget({ storedWh: 2.56 * level, ...figures });
        let memory: GovernorMemory = FIRST_MEMORY;
        for (let i = 0; i < 5; i++) {
          const input = inputOf(level, i * TICK_MS, { linkKind, backlog, budget, byHandUntilMs });
          const { decision, memory: next } = govern(input, memory);
          memory = next;
          if (memory.power.state === 'unknown') continue;
          const leftWh = 2.56 * level - LINK_COSTS[linkKind].sessionWh;
          if (decision.allowed.length > 0)
            assert.ok(leftWh >= 0.15 * 256 - 1e-9, `${leftWh} Wh left`);
          assert.ok(decision.allowed.every((opClass, at) => opClass === at));
          for (const { untilMs } of decision.deferred) {
            assert.ok(
              untilMs === undefined || (Number.isFinite(untilMs) && untilMs >= decision.at),
            );
          }
        }
      },
    ),
    { numRuns: 200 },
  );
});

test('with a budget: more charge never makes a class wait longer, but for the last call before all is paused', () => {
  const anyLink = fc.constantFrom<LinkKind>('ethernet', 'wifi', 'cellular', 'satellite');
  const anyLevel = fc.double({ min: 15 + LAST_CALL_POINTS + 0.01, max: 100, noNaN: true });
  const deadlinesMs = DEADLINES_MS;
  fc.assert(
    fc.property(anyLevel, anyLevel, anySun, anyLink, (a, b, sun, linkKind) => {
      const ahead = Array.from({ length: 36 }, (_, hour) => {
        const medianWatts = hour >= sun.dark && hour < sun.dark + 10 ? sun.watts : 0;
        return { wallMs: hour * 3_600_000, medianWatts, lowWatts: medianWatts / 2 };
      });
      const figures = { capacityWh: 256, baseWatts: 3.2, alarmsStopPct: 15, floorPct: 15, ahead };
      const link = LINK_COSTS[linkKind];
      const known = { link, deadlinesMs, mains: false, byHand: false, quotaUsedRatio: 0 };
      const waitsAt = (socPct: number, opClass: OpClass, permission: Permission): number => {
        const plan = planBudget({ storedWh: 2.56 * socPct, ...figures });
        // A battery that does not fall gets no last call on a link that is dear; on a cheap one its level alone decides.
        const budget = { ...plan, fallsTo: () => undefined };
        const situation = { ...known, budget, socPct, thresholds: LFP.percent };
        const rest = { state: 'normal', quotaNextRatio: () => 0 } as const;
        return patienceMs(opClass, permission, { ...situation, ...rest });
      };
      const [less, more] = [Math.min(a, b), Math.max(a, b)];
      for (const opClass of CLASSES.filter((it) => it !== LOG)) {
        for (const permission of ['now', 'budget', 'deadline'] as const) {
          const [longer, shorter] = [less, more].map((it) => waitsAt(it, opClass, permission));
          assert.ok((shorter as number) <= (longer as number), `${opClass} by ${permission}`);
        }
      }
    }),
    { numRuns: 1_000 },
  );
});
