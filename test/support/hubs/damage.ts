/** What a card does to a journal at rest: blocks whose bytes have changed; and what tells whether they were mended. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

import { connectAsync } from 'mqtt';

import { getJson } from './api.ts';
import { heliograph, type RunningHub } from './hub.ts';

/**
 * Flips bits in some blocks of the oldest segment (FORMAT.md §3, §4) that begin at or below `lastLsn`, chosen by their share of
 * all. What comes after the last op has no receipt, and nobody could say what was lost with it.
 */
export function damage(dir: string, shares: readonly number[], lastLsn = Infinity): void {
  const name = readdirSync(dir).find((file) => file.endsWith('.segment')) ?? '';
  const bytes = readFileSync(`${dir}/${name}`);
  const head = Buffer.concat([Buffer.of(0x85), bytes.subarray(79, 84)]);
  const blocks: number[] = [];
  for (let at = bytes.indexOf(head); at >= 0; at = bytes.indexOf(head, at + 1)) {
    if (Number(bytes.readBigUInt64BE(at + 7)) <= lastLsn) blocks.push(at);
  }
  const chosen = shares.map((share) => (blocks[Math.floor(blocks.length * share)] ?? 0) + 40);
  for (const at of new Set(chosen)) bytes[at] = (bytes[at] ?? 0) ^ 0x5a;
  writeFileSync(`${dir}/${name}`, bytes);
}

/** The folded state goes: the next start knows what the journal has. */
export function forgetState(data: string): void {
  for (const name of readdirSync(data)) {
    if (name.startsWith('state.')) rmSync(`${data}/${name}`, { recursive: true });
  }
}

const WINDOW = 50;

/** Messages on these topics in turn, a window of them at a time. */
export async function publish(
  hub: RunningHub,
  topics: readonly string[],
  count: number,
): Promise<void> {
  const client = await connectAsync(hub.mqttUrl, { reconnectPeriod: 0 });
  for (let from = 0; from < count; from += WINDOW) {
    const sending = Array.from({ length: WINDOW }, (_, at) => {
      const topic = topics[at % topics.length] as string;
      const body = JSON.stringify({ n: from + at, text: 'x'.repeat(100) });
      return client.publishAsync(topic, body, { qos: 1 });
    });
    await Promise.all(sending);
  }
  await client.endAsync();
}

interface DumpedLine {
  readonly lsn: number;
  readonly copy?: boolean;
  readonly origin?: string;
  readonly class?: string;
  readonly seq?: number;
}

/** Ops in a hub's journal as a person sees them, by lane and number. */
export async function opsIn(data: string): Promise<{ ops: Map<string, string>; lastLsn: number }> {
  const dump = heliograph(['journal', 'dump', '--json', '--data', data]);
  await dump.exited;
  const ops = new Map<string, string>();
  let lastLsn = 0;
  for (const line of dump.lines) {
    const { lsn, copy: _copy, ...op } = JSON.parse(line) as DumpedLine;
    if (op.origin === undefined || op.class === 'log') continue;
    lastLsn = lsn;
    ops.set(`${op.origin}/${op.class}/${op.seq}`, JSON.stringify(op));
  }
  return { ops, lastLsn };
}

interface JournalView {
  readonly journal: {
    readonly quarantined: readonly object[];
    readonly healing: { readonly lackedOps: number; readonly healedRanges: number };
  };
  readonly sync: { readonly state: string };
}

export const healthOf = (hub: RunningHub): Promise<JournalView> =>
  getJson<JournalView>(`${hub.httpUrl}api/v1/status`);
