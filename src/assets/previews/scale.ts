/** Makes a picture smaller: each new pixel is the mean of the box that it stands for, what is transparent on white. */
export interface Rgba {
  readonly width: number;
  readonly height: number;
  /** Four bytes a pixel, row by row. */
  readonly data: Uint8Array;
}

/** The largest size within `widthMax` × `heightMax` that has the picture's proportions; never larger than it is. */
export function sizeWithin(
  width: number,
  height: number,
  widthMax: number,
  heightMax: number,
): { readonly width: number; readonly height: number } {
  const ratio = Math.min(1, widthMax / width, heightMax / height);
  const scaled = (side: number): number => Math.max(1, Math.round(side * ratio));
  return { width: scaled(width), height: scaled(height) };
}

/** `width` and `height` are not larger than the picture's. */
export function shrink(picture: Rgba, width: number, height: number): Rgba {
  const data = new Uint8Array(width * height * 4);
  for (let y = 0; y < height; y++) {
    const top = Math.floor((y * picture.height) / height);
    const bottom = Math.max(top + 1, Math.floor(((y + 1) * picture.height) / height));
    for (let x = 0; x < width; x++) {
      const left = Math.floor((x * picture.width) / width);
      const right = Math.max(left + 1, Math.floor(((x + 1) * picture.width) / width));
      putMean(picture, { left, top, right, bottom }, data, (y * width + x) * 4);
    }
  }
  return { width, height, data };
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

function putMean({ data, width }: Rgba, box: Box, into: Uint8Array, at: number): void {
  let red = 0;
  let green = 0;
  let blue = 0;
  for (let y = box.top; y < box.bottom; y++) {
    for (let from = (y * width + box.left) * 4; from < (y * width + box.right) * 4; from += 4) {
      const alpha = data[from + 3] as number;
      const white = 255 * (255 - alpha);
      red += (data[from] as number) * alpha + white;
      green += (data[from + 1] as number) * alpha + white;
      blue += (data[from + 2] as number) * alpha + white;
    }
  }
  const weight = (box.right - box.left) * (box.bottom - box.top) * 255;
  into[at] = Math.round(red / weight);
  into[at + 1] = Math.round(green / weight);
  into[at + 2] = Math.round(blue / weight);
  into[at + 3] = 255;
}
