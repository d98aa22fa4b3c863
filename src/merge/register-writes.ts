/** What an op writes that the greatest write of prevails: fields of a patch, or the asset of its record. */
import { ASSET, type Kind, PATCH } from '../model/op.ts';
import { ASSET_FIELD, readAssetVersion } from './asset/asset-version.ts';
import { type Patch, readPatch } from './patch.ts';

/** Undefined for ops of other kinds, and for malformed bodies. */
export function readRegisterWrites(kind: Kind, body: Uint8Array): Patch | undefined {
  if (kind === PATCH) return readPatch(body);
  if (kind !== ASSET) return undefined;
  const version = readAssetVersion(body);
  if (version === undefined) return undefined;
  const { base } = version;
  return {
    fields: new Map([[ASSET_FIELD, body]]),
    seen: new Map(base === undefined ? [] : [[ASSET_FIELD, base]]),
  };
}
