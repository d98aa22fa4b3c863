/**
 * What runs in browsers: `node deploy/build-client.mjs [target]`. The SDK for pages is one
 * file, with MQTT.js in it and without Yjs; the notebook has both, so that it loads nothing from anywhere else.
 */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';

import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const target = process.argv[2] ?? join(root, 'dist');

const shared = {
  bundle: true,
  minify: true,
  format: 'esm',
  platform: 'browser',
  target: ['es2022'],
  legalComments: 'none',
  logLevel: 'warning',
};

await build({
  ...shared,
  entryPoints: [join(root, 'src/client/browser.ts')],
  outfile: join(target, 'client/browser.js'),
  external: ['yjs'],
});

await build({
  ...shared,
  entryPoints: [join(root, 'src/notebook/notebook.ts')],
  outfile: join(target, 'status/page/notebook.js'),
});
for (const name of ['notebook.html', 'notebook.css']) {
  copyFileSync(join(root, 'src/notebook', name), join(target, 'status/page', name));
}
