/** What a card does to a journal at rest: blocks whose bytes have changed. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

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
