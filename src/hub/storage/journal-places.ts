/**
 * Files that say by an LSN how far something has come in the journal: what is receipted, summed up, hashed, put together. With the
 * journal lost they say nothing any more; and once the next one has come as far they would pass for its own, and what it holds
 * for receipted. So they go first. The state goes back by itself when it is opened (store.ts), as sessions do (broker).
 */
import type { Files } from '../../platform/files/files.ts';
import type { HubPaths } from '../data/data.ts';

export function forgetPlaces(
  { uplink, ledger, assets }: Pick<HubPaths, 'uplink' | 'ledger' | 'assets'>,
  files: Pick<Files, 'exists' | 'remove' | 'syncDir'>,
): void {
  const places = [`${uplink}/progress`, `${uplink}/summed-up`, `${uplink}/damaged-ranges`, ledger];
  for (const path of [...places, `${assets}/cursor`]) files.remove(path);
  for (const dir of [uplink, assets]) if (files.exists(dir)) files.syncDir(dir);
}
