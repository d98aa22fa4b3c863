/** Checks on what a running hub says of itself. */
import { durationText } from '../../base/duration.ts';
import { CLASS_NAMES } from '../../model/class.ts';
import { rangesText } from '../../status/lsn-ranges.ts';
import type { StatusSnapshot } from '../../status/snapshot.ts';
import { healingText } from '../asking/status.ts';
import { bytesText, countText, printable } from '../text.ts';
import { type Check, note, ok, wrong } from './check.ts';

/** A reading older than this is none. */
const READING_S_MAX = 60;
const LIFE_YEARS_WRONG = 1;
const LIFE_YEARS_NOTE = 3;
const LIFE_YEARS_SHOWN_MAX = 50;
/** Of the journal's room. */
const FILL_NOTE = 0.8;

export function hubChecks(status: StatusSnapshot, freeBytesMin: number): Check[] {
  return [
    ...faultChecks(status),
    clockCheck(status),
    powerCheck(status),
    diskCheck(status.disk.freeBytes, freeBytesMin),
    journalCheck(status),
    storeCheck(status),
    uplinkCheck(status),
    lifeCheck(status.flash.lifeYears),
  ];
}

function faultChecks({ faults }: StatusSnapshot): Check[] {
  if (faults.length === 0) return [ok('faults', 'the hub reports none')];
  return faults.map(({ code, message, hint, since }) =>
    wrong('fault', `${printable(message)} (${code}, since ${since})`, hint),
  );
}

function clockCheck({ clock }: StatusSnapshot): Check {
  if (clock.quality !== 'unknown') return ok('clock', `${clock.at}, ${clock.quality}`);
  return note('clock', `${clock.at}, set by nobody`, 'Give the hub a time server or an RTC.');
}

const POWER_STEPS = [
  'Run `heliograph power probe` and compare with the meters on site.',
  'On mains, set power.sources = ["none"].',
];

function powerCheck({ power }: StatusSnapshot): Check {
  const { source, ageS, state, socPct } = power;
  if (source === 'none' && state !== 'unknown') return ok('power', 'on mains');
  if (source === 'none') {
    return note(
      'power',
      'no source tells anything of the battery; sending with caution',
      ...POWER_STEPS,
    );
  }
  if (ageS === null || ageS > READING_S_MAX) {
    const age = ageS === null ? 'no reading yet' : `last reading ${durationText(ageS)} ago`;
    return wrong('power', `${source}: ${age}`, ...POWER_STEPS);
  }
  const charge = socPct === null ? 'charge unknown' : `${socPct.toFixed(0)} %`;
  return ok('power', `${state}, ${charge}, ${source} read ${durationText(ageS)} ago`);
}

export function diskCheck(freeBytes: number, freeBytesMin: number): Check {
  const kept = freeBytesMin > 0 ? `, ${bytesText(freeBytesMin)} are kept for others` : '';
  const found = `${bytesText(freeBytes)} free${kept}`;
  if (freeBytes >= freeBytesMin) return ok('disk', found);
  return wrong('disk', found, 'Free space; the hub accepts data again by itself.');
}

function journalCheck({ journal }: StatusSnapshot): Check {
  const { fillRatio, bytesMax, firstLsn, lastLsn, quarantined } = journal;
  if (quarantined.length > 0) {
    const ranges = rangesText(quarantined);
    const healing = healingText(journal);
    return wrong('journal', `damaged and kept aside: LSN ${ranges}${healing && `; ${healing}`}`);
  }
  const healing = healingText(journal);
  const range = `LSN ${firstLsn} to ${lastLsn}, ${Math.floor(100 * fillRatio)} % of ${bytesText(bytesMax)}`;
  const found = healing === '' ? range : `${range}; ${healing}`;
  if (fillRatio < FILL_NOTE) return ok('journal', found);
  return note('journal', found, 'Connect the uplink, or raise journal.total_mib_max.');
}

function storeCheck({ journal, store }: StatusSnapshot): Check {
  const behind = journal.durableLsn - store.appliedLsn;
  return ok('store', behind <= 0 ? 'has all of the journal' : `${countText(behind, 'op')} behind`);
}

function uplinkCheck({ uplink, backlog }: StatusSnapshot): Check {
  if (uplink.state === 'off') return ok('uplink', 'not configured');
  const ops = CLASS_NAMES.filter((name) => name !== 'log').reduce(
    (sum, name) => sum + backlog[name].ops,
    0,
  );
  const receipt = uplink.lastReceiptAt ?? 'never';
  return ok('uplink', `${uplink.state}, last receipt ${receipt}, ${countText(ops, 'op')} waiting`);
}

export function lifeCheck(lifeYears: number | null): Check {
  if (lifeYears === null) return ok('card', 'too little was written to say anything');
  const years = lifeYears >= LIFE_YEARS_SHOWN_MAX ? `${LIFE_YEARS_SHOWN_MAX} or more` : lifeYears;
  const found = `lasts ${years} years at the rate of the last days`;
  if (lifeYears >= LIFE_YEARS_NOTE) return ok('card', found);
  const advice =
    'Raise journal.linger_ms.telemetry, or capture less; `heliograph status` says who writes.';
  return lifeYears >= LIFE_YEARS_WRONG
    ? note('card', found, advice)
    : wrong('card', found, advice, 'Plan to replace the card.');
}
