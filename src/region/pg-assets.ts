/** Assets at a worker of a fleet: whatever any of them has taken lies in the database, and each serves it. */
import type { PgContents } from '../regional/postgres/assets/pg-contents.ts';
import type { ContentDoor } from '../status/api/assets.ts';

export function doorOfContents(contents: PgContents): ContentDoor {
  return {
    facts: async (sha256) => {
      const found = await contents.facts(sha256);
      if (found === undefined) return undefined;
      const { key, ...facts } = found;
      return { ...facts, keys: [key] };
    },
    open: async (sha256) => {
      const content = await contents.open(sha256);
      return content && { ...content, close: () => undefined };
    },
    preview: async (sha256) => {
      const preview = await contents.preview(sha256);
      if (preview !== undefined) return { kind: 'ready', ...preview };
      return { kind: 'never', reason: 'none has come from the hub' };
    },
  };
}
