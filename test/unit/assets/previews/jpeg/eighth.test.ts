import assert from 'node:assert/strict';

import fc from 'fast-check';
import jpeg from 'jpeg-js';
import { describe, it } from 'vitest';

import { readEighth } from '../../../../../src/assets/previews/jpeg/eighth.ts';
import type { Rgba } from '../../../../../src/assets/previews/scale.ts';
import { exifOf, jpegOf, withExif } from '../../../../support/made/pictures.ts';

/** One smooth picture of 70 × 45 in the kinds that cameras and programs write, by libjpeg-turbo's cjpeg. */
const PICTURES = {
  'colours at half the size (4:2:0)':
    '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdB' +
    'RkxOUlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09P' +
    'T09PT09PT09PT09PT0//wAARCAAtAEYDASIAAhEBAxEB/8QAGgAAAgMBAQAAAAAAAAAAAAAABAUAAgMBBv/EABwQAAMBAAMB' +
    'AQAAAAAAAAAAAAACAwEREiETYf/EABoBAQEAAwEBAAAAAAAAAAAAAAUEAwYHAAL/xAAcEQACAwEBAQEAAAAAAAAAAAAAAgED' +
    'EQQhEhP/2gAMAwEAAhEDEQA/AHs1N1QxloUhpqSerrwr8yjTCsw4yl9LFitgvpMDrMa0QEqg1zOfU34J7IA2Ub2QAshsPKxM' +
    '/SK6Z6Q2onpBpW8JZv8AT1cXDZsKY0DZUOPQgtNODBdO6DpQ07ldSk1nhHwFqoQzGLi3OHW24AWQBsgzpnIJVB7mYPfoFNJ+' +
    'kC3n6QZV/DD+5aNQ2VRPN9C5vpzNazodtcRA2Sv6a5UWJTTZaaVV1g3TGB/0KMwNj6W7aIUphr3S2Fm3kxfOS/JzRWjwIsed' +
    'BmTnSG+5hBNW8MX3J//Z',
  'progressive, ten scans':
    '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdB' +
    'RkxOUlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09P' +
    'T09PT09PT09PT09PT0//wgARCAAtAEYDASIAAhEBAxEB/8QAGQAAAwEBAQAAAAAAAAAAAAAAAgMEAAEF/8QAGgEBAQADAQEA' +
    'AAAAAAAAAAAABAMCBQYAAf/aAAwDAQACEAMQAAABuYDdN7gt17TpqU37GitGxlLjzZeq+R3HLo6srTymAs06KkvPJnZmHXRu' +
    '5noqymOon8V1Gv6BcWNePJx//8QAGBABAQEBAQAAAAAAAAAAAAAAAQARIBD/2gAIAQEAAQUCPMskkmZjhmZmI4ZmSGG3hmyG' +
    'G223ki23r//EABkRAQADAQEAAAAAAAAAAAAAAAABAgMSEf/aAAgBAwEBPwGtUS7To7cLLWTo7Wq0aStL1//EABgRAQEBAQEA' +
    'AAAAAAAAAAAAAAABAgMR/9oACAECAQE/AYxXOuVSvGY5udSplnLEYSv/xAAUEAEAAAAAAAAAAAAAAAAAAABQ/9oACAEBAAY/' +
    'Alv/xAAYEAEBAQEBAAAAAAAAAAAAAAABABARIP/aAAgBAQABPyEQYdAY6GJCEYwnKMYRj4IJ2WcCdQaFmZJSiE7d8f/aAAwD' +
    'AQACAAMAAAAQgaKJBngB1zaTu1O//8QAGBEAAwEBAAAAAAAAAAAAAAAAAAERECH/2gAIAQMBAT8QgQHOb7HBwT2qSFhIbSz/' +
    'xAAZEQACAwEAAAAAAAAAAAAAAAAAIQEQIBH/2gAIAQIBAT8QngxBGMk2HEUQf//EABsQAQEAAwEBAQAAAAAAAAAAAAEAEBEh' +
    'IDBh/9oACAEBAAE/EPgIJB2eIeh165RTHxL09lSN4+2X/eMwtx3bWWWaSHbW5kL/2Q==',
  'a restart marker behind every row of units':
    '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdB' +
    'RkxOUlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09P' +
    'T09PT09PT09PT09PT0//wAARCAAtAEYDASIAAhEBAxEB/8QAGQAAAwEBAQAAAAAAAAAAAAAAAwQFAAIB/8QAHBAAAwEAAwEB' +
    'AAAAAAAAAAAAAAIDARESIRNh/8QAGQEBAQEBAQEAAAAAAAAAAAAABQQGAwAC/8QAHBEAAgMBAQEBAAAAAAAAAAAAAAIBAxEE' +
    'IRIT/90ABAAF/9oADAMBAAIRAxEAPwC7NQ6oBlo0hjUk9XXhz8zhpjWYeMpfSxYrYT6TE6zKtEFKoNczn1N+EeyCNlK9kELI' +
    'aHlYmfpJdM9MGonphpW8JZv9P//QsxcdmxJjQdlQyEIIzThQXT3RdKBO5XUpNZ4Z8FaqMMwFxbnDrbcELII2Qp0zkUqg9zMH' +
    'v0Emk/TDbz9MMq/hx/c//9Ekajsqkeb6NzfTOLWaS2uIgrJX9C5UmJTQy00qrrBumMH/AKHDMLY+nXbRClMM90th028gXzk7' +
    '5PNFaPAix50WZOdMH3MMJq3hy+5P/9k=',
  grey:
    '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdB' +
    'RkxOUlNSMj5aYVpQYEpRUk//wAALCAAtAEYBAREA/8QAGQABAQEBAQEAAAAAAAAAAAAABAMCAQUG/8QAHBAAAwEAAwEBAAAA' +
    'AAAAAAAAAAIDARESIRNh/9oACAEBAAA/APdmpdUNfMw0yFJg6zA2QDZQdM9PtpaKQrmHGUhRAlUAWQBZANE9Pq4uNmxddO6T' +
    'fAtVBWQDZANJ+nsxoNlQSlCncyzEXC0zkJVAjz9NRqNlUSlf0rlTX0MMxJt5IvnJBk508yb6Lm+iEppZaabx9NdtOcnNM7mH' +
    '/9k=',
  'arithmetic codes':
    '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdB' +
    'RkxOUlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09P' +
    'T09PT09PT09PT09PT0//yQARCAAtAEYDASIAAhEBAxEB/8wACgAQEAUBEBEF/9oADAMBAAIRAxEAPwDSGXMVVDyG4uUYcc07' +
    'AsMEM0vAro1/sOHCtRi5O5LN1ltfC9H4x9PqLlTEcfdPgfOIl9Ho+Ms8vtzvoNx/5hbsZWZj37/ucBVsP3mL/IFJ+XmqSBfz' +
    'EZI4jGTDh41aPEdspjE0qtSBM4UjF81Yt8ouXV9pNEPdir2b4EEX82iDCo4+MuUAU6wtAJnclH0G65DwW08Ay753ohXgwT6V' +
    'GeRs5k8LISQB+1nZWffc5dUR4fYRgSlC/wCmvgIG5lQdjIebY9ckpZuluOH8Xv1SKsD/2Q==',
};

const PIXELS_MAX = 70 * 45;
const UNREAD = 'arithmetic codes';

function bytesOf(name: keyof typeof PICTURES): Uint8Array {
  return new Uint8Array(Buffer.from(PICTURES[name], 'base64'));
}

/** The mean of each 16 × 16 pixels that lie whole in a picture of 70 × 45: a block of the colours where these have half the size. */
function meansOf({ width, data }: Rgba, side: number): number[] {
  const means: number[] = [];
  for (let box = 0; box < 8; box++) {
    const [left, top] = [(box % 4) * side, Math.floor(box / 4) * side];
    for (let colour = 0; colour < 3; colour++) {
      let sum = 0;
      for (let y = top; y < top + side; y++) {
        for (let x = left; x < left + side; x++)
          sum += data[(y * width + x) * 4 + colour] as number;
      }
      means.push(sum / side ** 2);
    }
  }
  return means;
}

describe('a JPEG at an eighth of its size', () => {
  const kinds = (Object.keys(PICTURES) as (keyof typeof PICTURES)[]).filter(
    (kind) => kind !== UNREAD,
  );
  it.each(kinds)('has the means of its blocks: %s', (kind) => {
    const bytes = bytesOf(kind);
    const picture = readEighth(bytes, PIXELS_MAX)?.picture;
    assert.ok(picture !== undefined);
    assert.deepEqual([picture.width, picture.height], [9, 6]);
    const whole = meansOf(jpeg.decode(bytes, { useTArray: true }), 16);
    for (const [index, mean] of meansOf(picture, 2).entries()) {
      const expected = whole[index] as number;
      assert.ok(Math.abs(mean - expected) < 3, `${index}: ${mean} in place of ${expected}`);
    }
  });

  it('is not read where it is of another kind, too large, or none', () => {
    assert.equal(readEighth(bytesOf('grey'), PIXELS_MAX - 1), undefined);
    assert.equal(readEighth(bytesOf(UNREAD), PIXELS_MAX), undefined);
    assert.equal(readEighth(new Uint8Array([0xff, 0xd8, 0xff, 0xd9]), PIXELS_MAX), undefined);
    assert.equal(readEighth(new Uint8Array(0), PIXELS_MAX), undefined);
  });

  it('tells how the camera was held', () => {
    const exif = readEighth(withExif(jpegOf(64, 48), exifOf(6)), PIXELS_MAX)?.exif;
    assert.deepEqual(exif?.subarray(0, 2), new Uint8Array([0x49, 0x49]));
  });

  it('that is cut off ends in grey', () => {
    const bytes = bytesOf('grey');
    const cut = readEighth(bytes.subarray(0, bytes.length - 60), PIXELS_MAX)?.picture;
    const whole = readEighth(bytes, PIXELS_MAX)?.picture;
    assert.deepEqual(cut?.data.subarray(0, 9 * 4), whole?.data.subarray(0, 9 * 4));
    assert.equal(cut?.data.length, whole?.data.length);
  });

  it('that is damaged anywhere gives some picture or none', () => {
    const picture = fc.constantFrom(...kinds).map(bytesOf);
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(picture, changes, (bytes, places) => {
        for (const [place, value] of places) bytes[2 + (place % (bytes.length - 2))] = value;
        const read = readEighth(bytes, PIXELS_MAX);
        if (read === undefined) return;
        const { width, height, data } = read.picture;
        assert.equal(data.length, width * height * 4);
      }),
      { numRuns: 2_000 },
    );
  });
});
