/** What we use of pngjs, which has no types of its own. */
declare module 'pngjs' {
  interface RgbaPicture {
    readonly width: number;
    readonly height: number;
    readonly data: Uint8Array;
  }
  export const PNG: { readonly sync: { read(bytes: Uint8Array): RgbaPicture } };
}
