/**
 * Times of the sync log in the time zone of who reads. A hub says moments within its sentences in UTC (`sun enough at
 * 10:40 UTC`), for it does not know its readers; beside a local time in front of the line that would be read wrongly at night.
 */
import { isoTime, wallMsOfIso } from '../../base/iso-time.ts';

const DAY_MS = 86_400_000;
/** With its day where the sentence has one. */
const MOMENT = /(\b\d{4}-\d\d-\d\d )?\b([01]\d|2[0-3]):([0-5]\d) UTC\b/g;

export interface ReaderTimes {
  /** `2026-03-01 07:10:00`. */
  second(wallMs: number): string;
  /** `2026-03-01 07:10`. */
  minute(wallMs: number): string;
  /** The sentence with its moments, which lie at or behind `atMs`, as the reader's clock shows them. */
  sentence(text: string, atMs: number): string;
}

/** Without a zone: that of this machine. */
export function readerTimes(timeZone?: string): ReaderTimes {
  const zone = timeZone === undefined ? {} : { timeZone };
  const format = new Intl.DateTimeFormat('sv-SE', {
    dateStyle: 'short',
    timeStyle: 'medium',
    ...zone,
  });
  const minute = (wallMs: number): string => format.format(wallMs).slice(0, 16);
  return {
    second: (wallMs) => format.format(wallMs),
    minute,
    sentence: (text, atMs) =>
      text.replace(MOMENT, (found, date: string | undefined, hour: string, minutes: string) => {
        const day = (date ?? isoTime(atMs)).slice(0, 10);
        const sameDayMs = wallMsOfIso(`${day}T${hour}:${minutes}:59Z`);
        if (sameDayMs === undefined) return found;
        if (date !== undefined) return minute(sameDayMs);
        return minute(sameDayMs < atMs ? sameDayMs + DAY_MS : sameDayMs).slice(11);
      }),
  };
}

export const OWN_TIMES = readerTimes();
