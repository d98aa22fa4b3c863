/** The commands for assets, as the table of commands has them. */
import type { Command } from '../args.ts';
import { HUB_OPTIONS } from '../asking/hub-api.ts';

const OPTIONS = { ...HUB_OPTIONS, json: { help: 'as one JSON document' } };
const KEY = { name: 'KEY', help: 'key of the record whose asset it is, such as order/17/photo' };

export const ASSET_COMMANDS: readonly Command[] = [
  {
    name: 'assets list',
    summary: 'the latest assets: of which record, what, and whether their bytes are here',
    options: { limit: { value: 'N', help: 'how many (default 50, at most 200)' }, ...OPTIONS },
    load: async () => (await import('./assets.ts')).listAssets,
  },
  {
    name: 'assets put',
    summary: 'make a file the asset of a record; goes on where it was after a cut',
    operands: [KEY, { name: 'FILE', help: 'the file' }],
    options: {
      type: { value: 'TYPE', help: 'media type; absent: by the ending of the name' },
      note: { value: 'TEXT', help: 'what there is to say about it' },
      tags: { value: 'A,B', help: 'tags' },
      region: { value: 'X,Y,W,H', help: 'the part of the picture that has changed, in pixels' },
      base: { value: 'OP,OP', help: 'versions that were looked at; absent: all that are here' },
      ...OPTIONS,
    },
    load: async () => (await import('./assets.ts')).putAsset,
  },
  {
    name: 'assets get',
    summary: 'the content of an asset into a file, its hash checked',
    operands: [
      { name: 'ASSET', help: 'key of the record, or SHA-256 of the content' },
      { name: 'FILE', help: 'where to' },
    ],
    options: { preview: { help: 'the preview instead' }, ...OPTIONS },
    load: async () => (await import('./assets.ts')).getAsset,
  },
  {
    name: 'assets resolve',
    summary: 'say which version of an asset shall stand where versions are in conflict',
    operands: [KEY, { name: 'VERSION', help: 'SHA-256 of its content, or its op' }],
    options: OPTIONS,
    load: async () => (await import('./assets.ts')).resolveAsset,
  },
];
