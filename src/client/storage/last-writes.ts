/**
 * What a page writes when it goes. IndexedDB is of no use then: it answers a page that goes no more, and what stands behind any
 * other transaction, of whichever tab, is dropped with the page. `localStorage` takes it at once; whoever claims the box puts it into
 * the log (KEPT.md §4).
 */
import { base64Of } from '../../codec/json.ts';

/** Entries for the log; `anew`, in the place of all that it has. */
export interface Write {
  readonly entries: readonly Uint8Array[];
  readonly anew: boolean;
}

/** Of a page that went: the lease of its box is given back, and these are the box's last writes. */
export interface Left {
  /** Whose lease it was: where another has the box by now, nothing of this counts. */
  readonly owner: string;
  /** Whether the box has entries beyond its head. */
  readonly waits: boolean;
  readonly writes: readonly Write[];
}

/** `place` is one for each box. False where the browser keeps nothing: it has no room, or was told not to. */
export function leave(place: string, { owner, waits, writes }: Left): boolean {
  const plain = writes.map(({ anew, entries }) => ({ anew, entries: entries.map(base64Of) }));
  try {
    localStorage.setItem(place, JSON.stringify({ owner, waits, writes: plain }));
    return true;
  } catch {
    return false;
  }
}

/** Undefined where nobody has left anything, or nobody can say what. */
export function leftAt(place: string): Left | undefined {
  try {
    const left = JSON.parse(localStorage.getItem(place) ?? 'null') as Plain | null;
    if (left === null) return undefined;
    const writes = left.writes.map(({ anew, entries }) => ({
      anew,
      entries: entries.map(bytesOf),
    }));
    return { owner: left.owner, waits: left.waits, writes };
  } catch {
    return undefined;
  }
}

export function forgetLeft(place: string): void {
  try {
    localStorage.removeItem(place);
  } catch {
    // Where nothing is kept, nothing is to be forgotten.
  }
}

interface Plain {
  readonly owner: string;
  readonly waits: boolean;
  readonly writes: readonly { readonly anew: boolean; readonly entries: readonly string[] }[];
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}
