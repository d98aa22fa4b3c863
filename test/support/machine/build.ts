/** Builds `dist/` once before the end-to-end tests, which run the program as it is installed. */
import { execFileSync } from 'node:child_process';

import { ROOT } from './spawn.ts';

export default function setup(): void {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' });
}
