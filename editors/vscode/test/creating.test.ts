/** What is run to make an environment, on machines made of a list of files. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { interpreterOf, pythons, steps } from '../src/creating';
import type { Machine } from '../src/lookup';

function machine(files: string[], platform: NodeJS.Platform = 'linux', searchPath = '/usr/local/bin:bin:/usr/bin'): Machine {
  return { platform, home: '/home/ada', searchPath, exists: (file) => files.includes(file) };
}

test("the project's Python comes first, then the newest of PATH, and no folder that is not absolute", () => {
  const files = ['/usr/bin/python3', '/usr/bin/python3.12', '/usr/local/bin/python3', 'bin/python3.13', '/ws/.venv/bin/python'];
  assert.deepEqual(pythons(machine(files), '/ws/.venv/bin/python'), [
    '/ws/.venv/bin/python',
    '/usr/bin/python3.12',
    '/usr/local/bin/python3',
    '/usr/bin/python3',
  ]);
  assert.deepEqual(pythons(machine([]), '/gone/python'), []);
});

test('a repository gives two packages, wheels are taken as they are, and nothing is asked for by name', () => {
  const [venv, install] = steps('/usr/bin/python3.12', '/own/server', ['/src/tracelens'], 'linux');
  assert.deepEqual([venv?.command, venv?.args.at(-1)], ['/usr/bin/python3.12', '/own/server']);
  assert.equal(install?.command, '/own/server/bin/python');
  assert.deepEqual(install?.args.slice(-2), ['/src/tracelens/recorder', '/src/tracelens']);
  const wheels = ['/w/tracelens_lsp-1-py3-none-any.whl', '/w/tracelens_recorder-1-py3-none-any.whl'];
  assert.deepEqual(steps('p', '/own', wheels, 'linux')[1]?.args.slice(-2), wheels);
});

test('on Windows the interpreter lies elsewhere', () => {
  assert.equal(interpreterOf('C:\\own\\server', 'win32'), 'C:\\own\\server\\Scripts\\python.exe');
  const files = ['C:\\py\\python.exe'];
  assert.deepEqual(pythons(machine(files, 'win32', 'C:\\py;py'), undefined), files);
});
