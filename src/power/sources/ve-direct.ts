/**
 * A Victron charger or battery monitor on a serial adapter. The adapter may be pulled and put back at any
 * time: the port is opened again with growing pauses, and a line that stays silent counts as lost.
 */
import { Backoff } from '../../base/backoff.ts';
import type { Cancel } from '../../base/clock.ts';
import type { SerialLine } from '../../platform/serial.ts';
import {
  type ChargeStage,
  hasFields,
  type Reading,
  type ReadingDraft,
} from '../estimate/reading.ts';
import type { PowerMachine, PowerSource } from './source.ts';
import { type VeDirectBlock, VeDirectParser } from './ve-direct-parser.ts';

const BAUD = 19_200;
/** Devices send every second; this long without a good block, something is wrong with the wiring. */
const SILENCE_MS = 10_000;
const SILENT = 'silent: check the cable and that the device is a VE.Direct one';
const FOREIGN = 'what comes is no VE.Direct: check which device is on this port';
const RETRY_FIRST_MS = 1_000;
/** Whoever plugs a cable in again stands before it. */
const RETRY_MOST_MS = 10_000;

type VeMachine = Pick<PowerMachine, 'serial' | 'clock' | 'timers' | 'random'>;

export class VeDirectSource implements PowerSource {
  readonly name: string;
  readonly #find: () => string | undefined;
  readonly #machine: VeMachine;
  readonly #backoff: Backoff;
  #line: SerialLine | undefined;
  #cancelRetry: Cancel | undefined;
  #cancelWatch: Cancel | undefined;
  #lastBlockMs = 0;
  /** When anything came at all. */
  #lastBytesMs = -Infinity;
  #lost = false;
  #stopped = true;

  /** `find` looks for the port at every try: an adapter may come back under another name. */
  constructor(name: string, find: () => string | undefined, machine: VeMachine) {
    this.name = name;
    this.#find = find;
    this.#machine = machine;
    this.#backoff = new Backoff(RETRY_FIRST_MS, RETRY_MOST_MS, machine.random);
  }

  start(onReading: (reading: Reading) => void, onLost: (reason: string) => void): void {
    this.#stopped = false;
    const { clock, timers } = this.#machine;
    const lose = (reason: string): void => {
      if (!this.#lost) onLost(reason);
      this.#lost = true;
    };
    this.#lastBlockMs = clock.monotonicMs();
    this.#cancelWatch = timers.every(SILENCE_MS, () => {
      const sinceMs = (atMs: number): number => clock.monotonicMs() - atMs;
      if (this.#line === undefined || sinceMs(this.#lastBlockMs) <= SILENCE_MS) return;
      lose(sinceMs(this.#lastBytesMs) <= SILENCE_MS ? FOREIGN : SILENT);
    });
    this.#open((block) => {
      this.#lastBlockMs = clock.monotonicMs();
      this.#lost = false;
      this.#backoff.reset();
      const reading = readingOfBlock(block, this.#lastBlockMs);
      if (hasFields(reading)) onReading(reading);
    }, lose);
  }

  #open(onBlock: (block: VeDirectBlock) => void, lose: (reason: string) => void): void {
    const retry = (reason: string): void => {
      this.#line = undefined;
      if (this.#stopped) return;
      lose(reason);
      const delayMs = this.#backoff.nextMs();
      this.#cancelRetry = this.#machine.timers.after(delayMs, () => this.#open(onBlock, lose));
    };
    const path = this.#find();
    if (path === undefined) return retry('no VE.Direct adapter is plugged in');
    const parser = new VeDirectParser(onBlock);
    this.#lastBlockMs = this.#machine.clock.monotonicMs();
    this.#line = this.#machine.serial.open(path, BAUD, {
      onData: (bytes) => {
        this.#lastBytesMs = this.#machine.clock.monotonicMs();
        parser.push(bytes);
      },
      onClose: (reason) => retry(this.name.endsWith(path) ? reason : `${path}: ${reason}`),
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelRetry?.();
    this.#cancelWatch?.();
    this.#line?.close();
    this.#line = undefined;
  }
}

const STAGES: Readonly<Record<string, ChargeStage>> = {
  '0': 'off',
  '2': 'fault',
  '3': 'bulk',
  '4': 'absorption',
  '5': 'float',
  '7': 'equalise',
  '252': 'external',
};

/** `MPPT` 1: held back by a voltage or current limit. */
const MPPT_LIMITED = '1';

/** What a block says in SI units. On a charger `I` is net of its load output, and `IL` the load output's current. */
export function readingOfBlock(block: VeDirectBlock, atMs: number): Reading {
  const number = (label: string): number | undefined => numberOf(block.get(label));
  const draft: ReadingDraft = { atMs, quality: 'good' };
  const volts = number('V');
  const amps = number('I');
  const watts = number('P');
  const soc = number('SOC');
  const pvWatts = number('PPV');
  const loadAmps = number('IL');
  const tempC = number('T');
  if (volts !== undefined) draft.batteryVolts = volts / 1_000;
  if (amps !== undefined) draft.batteryAmps = amps / 1_000;
  if (watts !== undefined) draft.batteryWatts = watts;
  if (soc !== undefined) draft.socRatio = soc / 1_000;
  if (pvWatts !== undefined) draft.pvWatts = pvWatts;
  if (volts !== undefined && loadAmps !== undefined) {
    draft.loadWatts = (volts * loadAmps) / 1_000_000;
  }
  if (tempC !== undefined) draft.tempC = tempC;

  const stage = STAGES[block.get('CS') ?? ''];
  if (stage !== undefined) draft.chargeStage = stage;
  const mppt = block.get('MPPT');
  if (mppt !== undefined && stage !== undefined) {
    draft.curtailed = mppt === MPPT_LIMITED && (stage === 'absorption' || stage === 'float');
  }
  return draft;
}

/** Decimal numbers only: `---` and what a broken device sends are absent. */
function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d{1,9}$/.test(text) ? Number(text) : undefined;
}
