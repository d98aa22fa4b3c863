/** What a month comes to: figures for people and programs, and what the report draws. */
import type { OpClass } from '../model/class.ts';
import type { Books, ClassFigures } from './judging/books.ts';
import type { Recorder } from './recorder.ts';
import type { Scenario } from './scenario.ts';
import type { ContractUse } from './world/contract.ts';

export interface PilotOutcome {
  readonly scenario: Scenario;
  readonly byClass: Readonly<Record<OpClass, ClassFigures>>;
  readonly downRatio: number;
  readonly radioWhPerDay: number;
  /** What the hub's own books say. */
  readonly believedWhPerDay: number;
  readonly sessionsPerDay: number;
  readonly radioBytes: number;
  /** What went over the link by calendar month, against its contract. */
  readonly contract: readonly ContractUse[];
  readonly restarts: number;
  readonly acknowledged: number;
  readonly digest: string;
  readonly recorder: Recorder;
  readonly books: Books;
}
