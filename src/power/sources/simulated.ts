/** Readings of a simulated site (demo, pilot), and of a site on mains, where there is nothing to measure. */
import type { Reading } from '../estimate/reading.ts';
import { type Ask, PolledSource, type PowerMachine, type PowerSource } from './source.ts';

type Clocked = Pick<PowerMachine, 'clock' | 'timers'>;

/** What a simulated site shows its hub; platform/sim/site.ts has it. */
export interface MeasuredSite {
  measure(): Omit<Reading, 'atMs' | 'quality'>;
}

export function simulatedSource(machine: Clocked, site: MeasuredSite): PowerSource {
  const ask: Ask = (nowMs, onAnswer) =>
    onAnswer({ ...site.measure(), atMs: nowMs, quality: 'good' });
  return new PolledSource('simulated', machine, ask);
}

/** Source `none`: the site is on mains, energy is never a reason to wait. */
export function mainsSource(machine: Clocked): PowerSource {
  const ask: Ask = (nowMs, onAnswer) => onAnswer({ atMs: nowMs, mains: true, quality: 'good' });
  return new PolledSource('none', machine, ask);
}
