/**
 * A place where readings come from. A source that loses its device says so once and goes on trying by
 * itself, so that an adapter may be pulled and put back; only a source that can never work (a name that
 * means nothing, a path that is no device) throws `power.source-invalid`, when it is made.
 */
import type { Clock, Timers } from '../../base/clock.ts';
import { systemCode } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { DriverFiles, DriverReader } from '../../platform/files/driver-files.ts';
import type { Files } from '../../platform/files/files.ts';
import type { SerialPorts } from '../../platform/serial.ts';
import type { Reading } from '../estimate/reading.ts';

export interface PowerSource {
  /** As in the config: `ve-direct:/dev/ttyUSB0`. */
  readonly name: string;
  /** Looked for by `auto`, not asked for by name: its absence is no fault. */
  readonly optional?: boolean;
  /** Readings come from now on, at least twice a minute while the device lives. `onLost` says why there are none. */
  start(onReading: (reading: Reading) => void, onLost: (reason: string) => void): void;
  /**
   * Reads again where a poll is overdue: an event loop that stalls, or a simulated day that races, must not make
   * a sensor that works look silent. Whoever is about to decide calls it; sources that are told have nothing to do.
   */
  refresh?(): void;
  stop(): void;
}

/** The source as `auto` has it. */
export function optional(source: PowerSource): PowerSource {
  return {
    name: source.name,
    optional: true,
    start: (onReading, onLost) => source.start(onReading, onLost),
    refresh: () => source.refresh?.(),
    stop: () => source.stop(),
  };
}

/** Ten seconds between polls: six chances before a reading is stale. */
export const POLL_PERIOD_MS = 10_000;
/** Who has not answered by the second poll after is lost; the reading becomes stale later still. */
const HANGS_AFTER_MS = 2 * POLL_PERIOD_MS;
const HANGS = 'its driver does not answer: check the wiring of the chip, and restart the machine';

/** What was read, or for a person why there is nothing to read. */
export type Answer = Reading | string;

/** Asks once. The answer may come during the call, later, or never. */
export type Ask = (nowMs: number, onAnswer: (answer: Answer) => void) => void;

interface PollMachine {
  readonly timers: Timers;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

/** What sources need of the machine; `sysRoot` is `/sys`, or a made tree in tests. */
export interface PowerMachine {
  readonly files: Pick<Files, 'list' | 'read' | 'exists'>;
  /** Files that may keep who reads them waiting. */
  readonly drivers: DriverFiles;
  readonly serial: SerialPorts;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly sysRoot: string;
  /** `/dev`, likewise. */
  readonly devRoot: string;
}

/** What sources below /sys look at. */
export type SysMachine = Pick<PowerMachine, 'files' | 'sysRoot'>;
export type DriverMachine = SysMachine & PollMachine & Pick<PowerMachine, 'drivers'>;

/** What the kernel does not let us read at this moment is as good as absent: devices need their hub also without a sensor. */
export function ifReadable<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return otherwise;
  }
}

/** A source that is asked again and again, though never while it has not answered. */
export class PolledSource implements PowerSource {
  readonly name: string;
  readonly #machine: PollMachine;
  readonly #ask: Ask;
  readonly #end: () => void;
  #cancel: (() => void) | undefined;
  #poll: (() => void) | undefined;
  #polledMs = -Infinity;
  /** Of the question that waits for its answer. */
  #askedMs: number | undefined;
  #lost: string | undefined;

  /** `end` lets go of what `ask` holds. */
  constructor(name: string, machine: PollMachine, ask: Ask, end: () => void = () => undefined) {
    this.name = name;
    this.#machine = machine;
    this.#ask = ask;
    this.#end = end;
  }

  start(onReading: (reading: Reading) => void, onLost: (reason: string) => void): void {
    const lose = (reason: string): void => {
      if (this.#lost !== reason) onLost(reason);
      this.#lost = reason;
    };
    const poll = (): void => {
      const nowMs = this.#machine.clock.monotonicMs();
      this.#polledMs = nowMs;
      if (this.#askedMs !== undefined) {
        if (nowMs - this.#askedMs >= HANGS_AFTER_MS) lose(HANGS);
        return;
      }
      this.#askedMs = nowMs;
      this.#ask(nowMs, (answer) => {
        this.#askedMs = undefined;
        if (this.#poll !== poll) return;
        if (typeof answer === 'string') return lose(answer);
        this.#lost = undefined;
        onReading(answer);
      });
    };
    this.#poll = poll;
    this.#cancel = this.#machine.timers.every(POLL_PERIOD_MS, poll);
    poll();
  }

  refresh(): void {
    if (this.#machine.clock.monotonicMs() - this.#polledMs > POLL_PERIOD_MS) this.#poll?.();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#poll = undefined;
    this.#end();
  }
}

/** What is asked below /sys, by a reader that may be kept waiting. */
export type AskDrivers = (
  machine: SysMachine,
  reader: DriverReader,
  atMs: number,
  onAnswer: (answer: Answer) => void,
) => void;

/** A source below /sys, with a reader of its own as long as it lives. */
export function driverSource(
  name: string,
  machine: DriverMachine,
  askDrivers: AskDrivers,
): PowerSource {
  const reader = machine.drivers.open();
  const ask: Ask = (nowMs, onAnswer) => askDrivers(machine, reader, nowMs, onAnswer);
  return new PolledSource(name, machine, ask, () => reader.close());
}
