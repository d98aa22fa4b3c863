/** Merge hints of an asset's version, as people write them: in addresses of the API and after options of the command. */
import {
  type AssetRegion,
  type AssetVersion,
  encodeAssetVersion,
  readAssetVersion,
} from './asset-version.ts';
import { type OpId, opIdOfText } from '../op-id.ts';

/** Lists are separated by commas; null where nothing was said. */
export interface HintTexts {
  /** `<origin>/<class>/<seq>,…`; empty: its maker saw none. */
  readonly base: string | null;
  readonly note: string | null;
  readonly tags: string | null;
  /** `x,y,width,height`. */
  readonly region: string | null;
}

/** The version with its hints, or what is wrong with them. */
export function versionWith(
  content: Pick<AssetVersion, 'sha256' | 'size' | 'type'>,
  { base, note, tags, region }: HintTexts,
): AssetVersion | string {
  const baseIds = base === null ? undefined : listOf(base).map((text) => opIdOfText(text));
  if (baseIds?.includes(undefined) === true) return 'base names ops: <origin>/<class>/<seq>,…';
  const numbers = region === null ? undefined : listOf(region).map((text) => numberOf(text));
  if (numbers !== undefined && (numbers.length !== 4 || numbers.includes(undefined))) {
    return 'region is x,y,width,height in pixels';
  }
  const version: AssetVersion = {
    ...content,
    ...(baseIds === undefined ? {} : { base: baseIds as OpId[] }),
    ...(note === null ? {} : { note }),
    ...(tags === null ? {} : { tags: listOf(tags) }),
    ...(numbers === undefined ? {} : { region: numbers as unknown as AssetRegion }),
  };
  return readAssetVersion(encodeAssetVersion(version)) === undefined
    ? 'a hint is too long, empty, or there are too many; see model/WIRE.cddl'
    : version;
}

function listOf(text: string): string[] {
  return text === '' ? [] : text.split(',').map((part) => part.trim());
}

function numberOf(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
