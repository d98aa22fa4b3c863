/** Brings the bytes of assets that came before there was a table for them out of the batches that are still kept. */
import { BULK, PREVIEW } from '../../../model/class.ts';
import type { Filling } from '../kept-batches.ts';
import { contentsIn, type GatheredContent, putContents } from './content-cells.ts';
import type { PgContents } from './pg-contents.ts';

export function contentsFilling(siteId: number, contents: PgContents): Filling {
  const gathered = new Map<string, GatheredContent>();
  return {
    flag: 'contents_kept',
    classes: [PREVIEW, BULK],
    take: async (sql, _via, entries) => {
      await putContents(sql, siteId, entries);
      contentsIn(entries, gathered);
    },
    committed: () => contents.checkSoon(siteId, gathered.values()),
  };
}
