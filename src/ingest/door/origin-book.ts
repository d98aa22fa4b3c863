/** Which device speaks for which origin, since the start: the first one that did. Hubs alone write class log and horizons. */
import { LOG } from '../../model/class.ts';
import { CONTROL, type Op } from '../../model/op.ts';
import type { Origin } from '../../model/origin.ts';
import { later, never, type Rejection } from './rejection.ts';

export const CLASH = never('the origin belongs to another device');
export const MANY_ORIGINS = later('too many origins on this hub');

export class OriginBook {
  readonly #hub: Origin;
  readonly #originsMax: number;
  readonly #deviceByOrigin = new Map<Origin, string>();

  constructor(hub: Origin, originsMax: number) {
    this.#hub = hub;
    this.#originsMax = originsMax;
  }

  deviceOf(origin: Origin): string | undefined {
    return this.#deviceByOrigin.get(origin);
  }

  /** Why the device may not speak for this op's origin; binds the origin to the first device that does. */
  refusal(op: Op, device: string): Rejection | undefined {
    if (op.class === LOG || op.kind === CONTROL) return never('hubs write class log and horizons');
    if (op.origin === this.#hub) return never('the origin is this hub');
    const owner = this.#deviceByOrigin.get(op.origin);
    if (owner === device) return undefined;
    if (owner !== undefined) return CLASH;
    if (this.#deviceByOrigin.size >= this.#originsMax) return MANY_ORIGINS;
    this.#deviceByOrigin.set(op.origin, device);
    return undefined;
  }
}
