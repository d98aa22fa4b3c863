/** Assets from end to end: phones and an uploader at a real hub, a real regional node behind it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

import { connectAsync } from 'mqtt';
import { describe, test } from 'vitest';

import { CborWriter } from '../../src/codec/writer.ts';
import { encodeAssetVersion } from '../../src/merge/asset/asset-version.ts';
import type { OpId } from '../../src/merge/op-id.ts';
import { encodePiece } from '../../src/model/asset-bytes.ts';
import type { OpClass } from '../../src/model/class.ts';
import { ASSET, encodeOp } from '../../src/model/op.ts';
import type { Origin } from '../../src/model/origin.ts';
import { type Digest, eventually, getJson, uplinked } from '../support/hubs/api.ts';
import { piecesOf } from '../support/made/assets.ts';
import { heliograph, startHub, startRegional } from '../support/hubs/hub.ts';
import { jpegOf } from '../support/made/pictures.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

const KEY = 'meter/4/photo';

interface AssetRow {
  readonly key: string;
  readonly sha256: string;
  readonly content: string;
  readonly preview: boolean;
}

interface ConflictsView {
  readonly open: number;
  readonly conflicts: readonly {
    readonly piece: string;
    readonly winner: { readonly op: string; readonly value: { readonly note: string } };
    readonly loser: {
      readonly op: string;
      readonly value: { readonly note: string; readonly sha256: string };
    };
  }[];
}

async function bytesAt(url: string): Promise<Uint8Array> {
  const response = await fetch(url);
  assert.equal(response.status, 200, `${url}: ${await response.clone().text()}`);
  return new Uint8Array(await response.arrayBuffer());
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A phone that makes its ops offline and hands them in when it has a connection. */
class Phone {
  readonly #origin: Origin;
  readonly #ops: Uint8Array[] = [];
  readonly #seqs = new Map<OpClass, number>();

  constructor(origin: string) {
    this.#origin = origin as Origin;
  }

  say(opClass: OpClass, body: Uint8Array): OpId {
    const seq = (this.#seqs.get(opClass) ?? 0) + 1;
    this.#seqs.set(opClass, seq);
    const id = { origin: this.#origin, class: opClass, seq };
    const hlc = { ms: Date.now(), counter: seq };
    const clock = { quality: 'ntp', bootId: 1, monotonicMs: seq } as const;
    this.#ops.push(encodeOp({ ...id, hlc, clock, kind: ASSET, key: KEY, body }));
    return id;
  }

  /** Version first, then the pieces. */
  takePhoto(picture: Uint8Array, note: string, base: readonly OpId[]): OpId {
    const sha256 = new Uint8Array(createHash('sha256').update(picture).digest());
    const version = { sha256, size: picture.length, type: 'image/jpeg', note, base };
    const id = this.say(2, encodeAssetVersion(version));
    const content = { bytes: picture, sha256, id: '' as never };
    for (const piece of piecesOf(content, 64 << 10)) this.say(5, encodePiece(piece));
    return id;
  }

  /** One op a message; resolves when all are acknowledged, which means durable. */
  async handIn(port: number): Promise<void> {
    // The device of a topic is the client that sends.
    const options = { reconnectPeriod: 0, clientId: this.#origin };
    const client = await connectAsync(`mqtt://127.0.0.1:${port}`, options);
    for (const op of this.#ops) {
      const message = new CborWriter(op.length + 1).array(1).raw(op).finish();
      await client.publishAsync(`sync/${this.#origin}/ops`, Buffer.from(message), { qos: 1 });
    }
    await client.endAsync();
  }
}

/** The region's word that it has a batch of the class. */
function storedOf(name: string): RegExp {
  return new RegExp(`"regional\\.batch\\.stored".*"class":"${name}"`);
}

/** Runs a command to its end. */
async function command(...args: string[]): Promise<{ code: number | null; text: string }> {
  const process = heliograph(args);
  const code = await process.exited;
  return { code, text: process.lines.join('\n') };
}

describe('an asset', () => {
  test('that is uploaded shows with its preview, and reaches the region: version, preview, original', async () => {
    const data = tempDir();
    const region = await startRegional({ data });
    const hub = await startHub({ data, sets: [`uplink.url=${region.mqttUrl}`] });
    const picture = jpegOf(1000, 750, 100);
    const sha256 = hashOf(picture);
    const put = await fetch(
      `${hub.httpUrl}api/v1/assets/${sha256}?key=${KEY}&note=before&tags=meter`,
      {
        method: 'PUT',
        headers: { 'content-type': 'image/jpeg' },
        body: picture,
      },
    );
    assert.equal(put.status, 201, await put.clone().text());
    const tooLarge = await fetch(`${hub.httpUrl}api/v1/assets/${'cd'.repeat(32)}?key=${KEY}`, {
      method: 'PUT',
      headers: { 'content-type': 'image/jpeg', 'content-range': 'bytes 0-9/9999999999999' },
      body: picture.subarray(0, 10),
    });
    assert.equal(tooLarge.status, 413, await tooLarge.text());
    const { op } = (await put.json()) as { op: string };
    const path = `api/v1/assets/${sha256}`;
    assert.deepEqual(await bytesAt(`${hub.httpUrl}${path}`), picture);
    const preview = await bytesAt(`${hub.httpUrl}${path}?width=320`);
    assert.ok(preview.length < 20_000 && preview[0] === 0xff && preview[1] === 0xd8);
    const { assets } = await getJson<{ assets: AssetRow[] }>(`${hub.httpUrl}api/v1/assets`);
    assert.deepEqual(
      assets.map(({ key, sha256: id, content, preview: has }) => [key, id, content, has]),
      [[KEY, sha256, 'whole', true]],
    );
    const shown = await command('records', 'get', KEY, '--url', hub.httpUrl);
    assert.match(shown.text, new RegExp(`image/jpeg.*${sha256}.*"before".*#meter`));

    await uplinked(hub.httpUrl);
    assert.deepEqual(await bytesAt(`${region.httpUrl}${path}`), picture);
    assert.deepEqual(await bytesAt(`${region.httpUrl}${path}?width=320`), preview);
    for (const name of ['record', 'preview', 'bulk']) await region.process.line(storedOf(name));
    const order = ['record', 'preview', 'bulk'].map((name) =>
      region.process.lines.findIndex((line) => storedOf(name).test(line)),
    );
    assert.deepEqual(
      order.toSorted((a, b) => a - b),
      order,
    );
    const [here, there] = await Promise.all(
      [hub, region].map(({ httpUrl }) => getJson<Digest>(`${httpUrl}api/v1/digest`)),
    );
    assert.equal(here?.digest, there?.digest);

    const undone = await command('undo', op, '--url', hub.httpUrl);
    assert.equal(undone.code, 0, undone.text);
    assert.equal(
      (await fetch(`${hub.httpUrl}api/v1/records/${encodeURIComponent(KEY)}`)).status,
      404,
    );
  });

  test('that two phones made offline is a conflict with both kept, until somebody chooses; undo brings it back', async () => {
    const data = tempDir();
    const hub = await startHub({ data });
    const [lena, otieno] = [new Phone('aaaaaaaaaaaaaaaa'), new Phone('bbbbbbbbbbbbbbbb')];
    const pictures = [jpegOf(400, 300, 90), jpegOf(300, 400, 95)] as const;
    const lost = lena.takePhoto(pictures[0], 'from the left', []);
    otieno.takePhoto(pictures[1], 'from the right', []);
    await lena.handIn(hub.mqttPort);
    await otieno.handIn(hub.mqttPort);
    const conflicts = (): Promise<ConflictsView> => getJson(`${hub.httpUrl}api/v1/conflicts`);
    const { conflicts: met } = await eventually(conflicts, ({ open }) => open === 1);
    assert.deepEqual(
      met.map(({ piece, winner, loser }) => [piece, winner.value.note, loser.value.note]),
      [['asset', 'from the right', 'from the left']],
    );
    // Both contents are here, each under its hash.
    for (const picture of pictures) {
      const url = `${hub.httpUrl}api/v1/assets/${hashOf(picture)}`;
      await eventually(
        () => fetch(url),
        ({ status }) => status === 200,
      );
      assert.deepEqual(await bytesAt(url), picture);
    }
    const listed = await command('conflicts', 'list', '--url', hub.httpUrl);
    assert.match(listed.text, /asset {2}concurrent/);
    const chosen = await command(
      'assets',
      'resolve',
      KEY,
      hashOf(pictures[0]),
      '--url',
      hub.httpUrl,
    );
    assert.equal(chosen.code, 0, chosen.text);
    assert.equal((await conflicts()).open, 0);
    const standing = async (): Promise<string> =>
      (await getJson<{ assets: AssetRow[] }>(`${hub.httpUrl}api/v1/assets`)).assets[0]?.sha256 ??
      '';
    assert.equal(await standing(), hashOf(pictures[0]));
    const { ops } = await getJson<{ ops: { op: string }[] }>(
      `${hub.httpUrl}api/v1/history?key=${KEY}`,
    );
    const undone = await command('undo', ops.at(-1)?.op ?? '', '--url', hub.httpUrl);
    assert.equal(undone.code, 0, undone.text);
    assert.equal(await standing(), hashOf(pictures[1]));
    assert.equal((await conflicts()).open, 1);
    assert.equal(lost.seq, 1);
  });

  test('whose upload is cut, and whose hub is killed, goes on where it was', async () => {
    const data = tempDir();
    const first = await startHub({ data });
    const bytes = new Uint8Array(900_000).map((_, index) => (index * 7 + (index >> 9)) & 0xff);
    const sha256 = hashOf(bytes);
    const put = async (httpUrl: string, from: number, to: number): Promise<Response> =>
      fetch(`${httpUrl}api/v1/assets/${sha256}?key=doc`, {
        method: 'PUT',
        headers: {
          'content-type': 'application/pdf',
          'content-range':
            to === from ? `bytes */${bytes.length}` : `bytes ${from}-${to - 1}/${bytes.length}`,
        },
        body: bytes.subarray(from, to),
      });
    assert.equal((await put(first.httpUrl, 0, 300_000)).status, 202);
    first.process.kill('SIGKILL');
    await first.process.exited;
    const second = await startHub({ data });
    const asked = await put(second.httpUrl, 0, 0);
    assert.deepEqual(await asked.json(), { received: 300_000, size: bytes.length });
    const ahead = await put(second.httpUrl, 400_000, 500_000);
    assert.deepEqual([ahead.status, ahead.headers.get('upload-offset')], [409, '300000']);
    // What overlaps is taken once.
    assert.equal((await put(second.httpUrl, 200_000, bytes.length)).status, 201);
    const answer = await fetch(`${second.httpUrl}api/v1/assets/${sha256}`);
    assert.equal(answer.headers.get('content-disposition'), 'attachment');
    assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), bytes);
    second.process.kill('SIGKILL');
    await second.process.exited;
    const third = await startHub({ data });
    assert.deepEqual(await bytesAt(`${third.httpUrl}api/v1/assets/${sha256}`), bytes);
  });
});
