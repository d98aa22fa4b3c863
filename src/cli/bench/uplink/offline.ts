/**
 * What the same readings take when somebody with hindsight packs them: topics, times and each field as a column of its
 * own, each in whichever of several forms brotli at its best quality makes smallest. No op, stamp, order or proof is in
 * it; it is a floor to compare with, not a format.
 */
import { brotliCompressSync, constants } from 'node:zlib';

import { utf8 } from '../../../base/bytes.ts';
import { addTo } from '../../../base/groups.ts';
import type { MeterPublish, MeterValues } from './meters.ts';

const QUALITY = 9;
const PLANES = 7;
const MINUTE_MS = 60_000;
/** Digits behind the point, so that every field is an integer. */
const DIGITS: Readonly<Record<keyof MeterValues, number>> = {
  voltage: 1,
  current: 2,
  power: 0,
  energy: 0,
  frequency: 2,
  temperature: 1,
};

export function offlineBytes(publishes: readonly MeterPublish[]): number {
  const series = byTopic(publishes);
  const column = (valueOf: (publish: MeterPublish) => number): number[][] =>
    series.map((each) => each.map((publish) => valueOf(publish)));
  const times = Math.min(
    smallest(column(({ atMs }) => atMs)),
    smallest(column(({ atMs }) => atMs % MINUTE_MS)),
  );
  const fields = Object.entries(DIGITS).map(([name, digits]) =>
    smallest(column(({ values }) => Math.round(values[name as keyof MeterValues] * 10 ** digits))),
  );
  const topics = compressed(utf8(series.map((each) => each[0]?.topic).join('\n')));
  return [times, topics, ...fields].reduce((sum, bytes) => sum + bytes, 0);
}

function byTopic(publishes: readonly MeterPublish[]): MeterPublish[][] {
  const series = new Map<string, MeterPublish[]>();
  for (const publish of publishes) addTo(series, publish.topic, publish);
  return [...series.values()];
}

/** Compressed bytes of the numbers of all series, as they are, as steps, or as changes of steps. */
function smallest(series: readonly (readonly number[])[]): number {
  const steps = series.map((numbers) => stepsOf(numbers));
  const forms = [series, steps, steps.map((numbers) => stepsOf(numbers))];
  const sizes = forms.flatMap((form) => {
    const numbers = form.flat();
    return [compressed(varints(numbers)), compressed(bytePlanes(numbers))];
  });
  return Math.min(...sizes);
}

function stepsOf(numbers: readonly number[]): number[] {
  return numbers.map((number, index) => number - (numbers[index - 1] ?? 0));
}

function zigZag(number: number): number {
  return number < 0 ? -2 * number - 1 : 2 * number;
}

function varints(numbers: readonly number[]): Uint8Array {
  const bytes: number[] = [];
  for (const number of numbers) {
    let rest = zigZag(number);
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
    bytes.push(rest);
  }
  return Uint8Array.from(bytes);
}

/** All lowest bytes, then all second lowest, and so on. */
function bytePlanes(numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(numbers.length * PLANES);
  for (const [index, number] of numbers.entries()) {
    let rest = zigZag(number);
    for (let plane = 0; plane < PLANES; plane++) {
      bytes[plane * numbers.length + index] = rest % 256;
      rest = Math.floor(rest / 256);
    }
  }
  return bytes;
}

function compressed(bytes: Uint8Array): number {
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: QUALITY,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  };
  return brotliCompressSync(bytes, { params }).length;
}
