/** What tests ask of a running hub or regional node over HTTP. */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { inspect } from 'node:util';

export interface Digest {
  readonly digest: string;
  readonly ops: number;
  readonly records: number;
}

export interface StatusView {
  readonly backlog: Readonly<Record<string, { readonly ops: number }>>;
  readonly journal: {
    readonly firstLsn: number;
    readonly durableLsn: number;
    readonly receiptedLsn: number;
    readonly fillRatio: number;
  };
  readonly sync: { readonly state: string };
  readonly faults: readonly { readonly code: string; readonly message: string }[];
}

export async function getJson<T>(url: string): Promise<T> {
  const response = await fetch(url);
  assert.equal(response.status, 200, `${url}: ${response.status}`);
  return (await response.json()) as T;
}

/** Payload texts of all readings of a key. */
export async function readingsOf(httpUrl: string, key: string): Promise<Set<string>> {
  const found = new Set<string>();
  const query = `key=${encodeURIComponent(key)}&from=1970-01-01T00:00:00Z`;
  let from = '';
  for (;;) {
    const page = await getJson<ReadingsAnswer>(`${httpUrl}api/v1/readings?${query}${from}`);
    for (const { value } of page.readings) found.add(JSON.stringify(value));
    if (page.next === undefined || page.next === null) return found;
    from = `&from=${encodeURIComponent(page.next)}`;
  }
}

interface ReadingsAnswer {
  readonly readings: readonly { readonly value: unknown }[];
  readonly next?: string | null;
}

/** Long enough for a machine that is slow, or busy with other things; short of the limit of a test, which would not say what is amiss. */
const WITHIN_MS = 240_000;

/** Asks again until the answer holds, or fails with what it was last. */
export async function eventually<T>(
  ask: () => Promise<T>,
  holds: (answer: T) => boolean,
  withinMs = WITHIN_MS,
): Promise<T> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (holds(answer)) return answer;
    assert.ok(performance.now() < endMs, `still ${inspect(answer, { depth: 8 }).slice(0, 2000)}`);
    await pause(50);
  }
}

/** Waits until everything but the sync log has its receipt; what is not counted yet has none. */
export async function uplinked(httpUrl: string, withinMs = WITHIN_MS): Promise<void> {
  await eventually(
    () => getJson<StatusView>(`${httpUrl}api/v1/status`),
    ({ backlog, journal }) =>
      journal.receiptedLsn >= journal.durableLsn &&
      Object.entries(backlog).every(([name, { ops }]) => name === 'log' || ops === 0),
    withinMs,
  );
}
