/** What a hub has said under one key, as its site keeps it: messages that the hub itself makes, for people at the region. */
import type { SiteStorage } from '../regional/site-storage.ts';

interface Said {
  readonly atMs: number;
  readonly payload: Uint8Array;
}

/** Everything since `fromMs`, the oldest first, from at most so many pages of readings. */
export async function* saidUnder(
  key: string,
  storage: Pick<SiteStorage, 'readings'>,
  { fromMs: sinceMs = 0, pagesMax }: { readonly fromMs?: number; readonly pagesMax: number },
): AsyncGenerator<Said> {
  const query = { key, toMs: Number.MAX_SAFE_INTEGER, stepMs: 0 };
  let fromMs: number | undefined = sinceMs;
  for (let page = 0; page < pagesMax && fromMs !== undefined; page++) {
    const { points, nextFromMs } = await storage.readings({ ...query, fromMs });
    for (const { atMs, payload } of points) if (payload !== undefined) yield { atMs, payload };
    fromMs = nextFromMs;
  }
}
