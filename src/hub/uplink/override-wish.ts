/** What the records `control/…` say of sending by hand (downlink.ts). */
import { decodeCbor } from '../../codec/reader.ts';
import { AUTHORITY } from '../../model/op.ts';
import type { RecordView } from '../../store/records/records.ts';

const OVERRIDE_MS_MAX = 86_400_000;
const MINUTE_MS = 60_000;

interface OverrideWish {
  /** By the clock of who asked; 0: nobody did. */
  readonly untilMs: number;
  /** What was asked for, or as long as it may ever last. */
  readonly longestMs: number;
  readonly by: string;
  /** When it was written, to tell which of two wishes counts. */
  readonly atMs: number;
}

/** Only what people wrote counts: a device may not spend the battery. */
export function overrideWishIn(fields: RecordView['fields']): OverrideWish {
  const valueOf = (name: string): unknown => {
    const field = fields.get(name);
    const isByPeople = field !== undefined && field.order.authority > AUTHORITY.device;
    return isByPeople ? decodeCbor(field.value) : undefined;
  };
  const by = valueOf('override_by');
  const untilMs = finite(valueOf('override_until'));
  const minutes = finite(valueOf('override_minutes'));
  return {
    untilMs: untilMs ?? 0,
    longestMs: Math.min(OVERRIDE_MS_MAX, (minutes ?? Infinity) * MINUTE_MS),
    by: typeof by === 'string' ? by.slice(0, 64) : 'the region',
    atMs: untilMs === undefined ? 0 : (fields.get('override_until')?.order.hlc.ms ?? 0),
  };
}

/** Negative or 0: it is over. A clock that is behind makes no day of five minutes. */
export function overrideLeftMs({ untilMs, longestMs }: OverrideWish, nowMs: number): number {
  return Math.min(longestMs, untilMs - nowMs);
}

function finite(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
