/**
 * Puts the page beside the compiled program: `node deploy/copy-page.mjs [target]`. The chart library comes from
 * its package, so that the page loads nothing from anywhere else.
 */
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const source = join(root, 'src/status/page');
const target = process.argv[2] ?? join(root, 'dist/status/page');
const uplot = dirname(createRequire(import.meta.url).resolve('uplot'));

mkdirSync(target, { recursive: true });
for (const name of readdirSync(source)) copyFileSync(join(source, name), join(target, name));
copyFileSync(join(uplot, 'uPlot.esm.js'), join(target, 'uplot.js'));
copyFileSync(join(uplot, 'uPlot.min.css'), join(target, 'uplot.css'));
