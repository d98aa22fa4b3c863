/** Media types as ops name them (WIRE.cddl `media-type`): lower case, no parameters. */
const MEDIA_TYPE_BYTES_MAX = 127;
const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/;

export function isMediaType(text: string): boolean {
  return text.length <= MEDIA_TYPE_BYTES_MAX && MEDIA_TYPE.test(text);
}
