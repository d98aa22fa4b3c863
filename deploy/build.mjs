/**
 * Makes `dist/` from the sources: `node deploy/build.mjs`. What is started or imported is one file: the program with all
 * commands, the maker of previews (a process of its own), the packer of batches (a thread), the SDK for Node, the SDK for pages, and the notebook. What runs a
 * node is some files, in the order in which it needs them.
 *
 * Few files, because a hub starts on a slow card. Read module by module, the program spends half of its start in
 * the loader: 250 files to find, read and link before the first device is served. Not one, because V8 looks at every line of
 * a file before it runs the first. Names and lines stay as they are, so that a stack trace can be read.
 */
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');

/** Packages with files of their own (WebAssembly, native parts), or bundled already: they stay where npm put them. */
const KEPT = /^(?:bonjour-service|mqtt|node-sqlite3-wasm|pg)$/;

/**
 * An import of a package that stays is done when its importer runs, not when the file is loaded: most commands
 * need no database.
 */
const keptPackages = {
  name: 'kept-packages',
  setup(bundle) {
    bundle.onResolve({ filter: KEPT }, ({ path, pluginData }) =>
      pluginData === 'kept' ? { path, external: true } : { path, namespace: 'kept' },
    );
    bundle.onLoad({ filter: KEPT, namespace: 'kept' }, ({ path }) => ({
      contents: `module.exports = require('${path}');`,
      pluginData: 'kept',
      resolveDir: root,
    }));
  },
};

/** The entry leaves the programs where they are. */
const programsBeside = {
  name: 'programs-beside',
  setup(bundle) {
    bundle.onResolve({ filter: /^\.\/program-\w+\.ts$/ }, ({ path }) => ({
      path: path.replace(/\.ts$/, '.js'),
      external: true,
    }));
  },
};

const shared = { bundle: true, format: 'esm', legalComments: 'none', logLevel: 'warning' };
const inNode = {
  ...shared,
  platform: 'node',
  target: ['node20'],
  banner: {
    // Packages in CommonJS that are bundled ask for Node's own modules in their way.
    js: "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);",
  },
};
const inBrowsers = { ...shared, platform: 'browser', target: ['es2022'], minify: true };

rmSync(dist, { recursive: true, force: true });
await build({
  ...shared,
  platform: 'node',
  entryPoints: [join(root, 'src/main.ts')],
  outfile: join(dist, 'main.js'),
  plugins: [programsBeside],
});
await build({
  ...inNode,
  entryPoints: [join(root, 'src/program-node.ts')],
  outdir: dist,
  splitting: true,
  chunkNames: 'node-[name]-[hash]',
  plugins: [keptPackages],
});
await build({
  ...inNode,
  entryPoints: [
    'program-all.ts',
    'assets/previews/make-preview.ts',
    'uplink/packing/pack-thread.ts',
  ].map((path) => join(root, 'src', path)),
  outbase: join(root, 'src'),
  outdir: dist,
  plugins: [keptPackages],
});
await build({
  ...inNode,
  entryPoints: [join(root, 'src/client/node.ts')],
  outfile: join(dist, 'client/node.js'),
  external: ['mqtt', 'yjs'],
});
await build({
  ...inBrowsers,
  entryPoints: [join(root, 'src/client/browser.ts')],
  outfile: join(dist, 'client/browser.js'),
  external: ['yjs'],
});
await build({
  ...inBrowsers,
  entryPoints: [join(root, 'src/notebook/notebook.ts')],
  outfile: join(dist, 'status/page/notebook.js'),
});
for (const name of ['notebook.html', 'notebook.css']) {
  copyFileSync(join(root, 'src/notebook', name), join(dist, 'status/page', name));
}
