/** The order in which the language server is looked for, on machines made of a list of files. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expand, findServer, type Machine, type Wishes } from '../src/lookup';

function machine(files: string[], rest: Partial<Machine> = {}): Machine {
  return {
    platform: 'linux',
    home: '/home/ada',
    searchPath: '/usr/local/bin:/usr/bin',
    exists: (file) => files.includes(file),
    ...rest,
  };
}

function wishes(rest: Partial<Wishes> = {}): Wishes {
  return { interpreter: '', projectInterpreter: undefined, folders: ['/ws'], trusted: true, ...rest };
}

const EVERYWHERE = ['/py/bin/python', '/ws/.venv/bin/tracelens-lsp', '/env/bin/tracelens-lsp', '/usr/bin/tracelens-lsp'];

test('the setting wins over every other place, and keeps the working folder off the import path', () => {
  const found = findServer(wishes({ interpreter: '/py/bin/python' }), machine(EVERYWHERE));
  assert.deepEqual(found, {
    kind: 'command',
    command: '/py/bin/python',
    args: ['-P', '-m', 'tracelens_lsp'],
    interpreter: '/py/bin/python',
  });
});

test('a setting that names nothing is an error that names it, and nothing else is run', () => {
  const found = findServer(wishes({ interpreter: '/gone/python' }), machine(EVERYWHERE));
  assert.equal(found.kind, 'not-found');
  assert.match(found.kind === 'not-found' ? found.reason : '', /tracelens\.interpreter names \/gone\/python/);
});

test('without a setting: the workspace, then the project interpreter, then PATH', () => {
  const all = wishes({ projectInterpreter: '/env/bin/python' });
  const order: string[] = [];
  let files = EVERYWHERE;
  for (;;) {
    const found = findServer(all, machine(files));
    if (found.kind === 'not-found') {
      assert.deepEqual(found.looked, [
        '/ws/.venv/bin/tracelens-lsp',
        '/env/bin/tracelens-lsp',
        '/usr/local/bin/tracelens-lsp',
        '/usr/bin/tracelens-lsp',
      ]);
      break;
    }
    order.push(found.command);
    files = files.filter((file) => file !== found.command);
  }
  assert.deepEqual(order, ['/ws/.venv/bin/tracelens-lsp', '/env/bin/tracelens-lsp', '/usr/bin/tracelens-lsp']);
});

test('every workspace folder is looked into, first one first', () => {
  const found = findServer(wishes({ folders: ['/a', '/b'] }), machine(['/b/.venv/bin/tracelens-lsp']));
  assert.equal(found.kind === 'command' && found.command, '/b/.venv/bin/tracelens-lsp');
});

test('a workspace that is not trusted has nothing of it run', () => {
  const found = findServer(
    wishes({ trusted: false, projectInterpreter: '/env/bin/python' }),
    machine(['/ws/.venv/bin/tracelens-lsp', '/env/bin/tracelens-lsp']),
  );
  assert.equal(found.kind, 'not-found');
  assert.deepEqual(found.kind === 'not-found' && found.looked, ['/usr/local/bin/tracelens-lsp', '/usr/bin/tracelens-lsp']);
});

test('the setting cannot name a Python inside a workspace that is not trusted, but one outside', () => {
  const files = machine(['/ws/py', '/py/bin/python']);
  for (const interpreter of ['/ws/py', '${workspaceFolder}/py', 'py']) {
    assert.equal(findServer(wishes({ trusted: false, interpreter }), files).kind, 'not-found');
    assert.equal(findServer(wishes({ trusted: true, interpreter }), files).kind, 'command');
  }
  assert.equal(findServer(wishes({ trusted: false, interpreter: '/py/bin/python' }), files).kind, 'command');
});

test('relative entries of PATH are not followed', () => {
  const found = findServer(wishes({ folders: [] }), machine(['tracelens-lsp', 'bin/tracelens-lsp'], { searchPath: ':.:bin' }));
  assert.deepEqual(found.kind === 'not-found' && found.looked, []);
});

test('on Windows the script is an .exe in Scripts, and PATH is split at semicolons', () => {
  const windows = machine(['C:\\tools\\tracelens-lsp.exe'], { platform: 'win32', searchPath: 'D:\\x;C:\\tools' });
  const found = findServer(wishes({ folders: ['C:\\ws'] }), windows);
  assert.equal(found.kind === 'command' && found.command, 'C:\\tools\\tracelens-lsp.exe');
  const none = findServer(wishes({ folders: ['C:\\ws'] }), { ...windows, exists: () => false });
  assert.equal(none.kind === 'not-found' && none.looked[0], 'C:\\ws\\.venv\\Scripts\\tracelens-lsp.exe');
});

test('a path may start with ~ or the workspace folder, and is made absolute from there', () => {
  const on = machine([]);
  assert.equal(expand('~/py/bin/python', '/ws', on), '/home/ada/py/bin/python');
  assert.equal(expand('${workspaceFolder}/.venv/bin/python', '/ws', on), '/ws/.venv/bin/python');
  assert.equal(expand(' .venv/bin/python ', '/ws', on), '/ws/.venv/bin/python');
  assert.equal(expand('.venv/bin/python', undefined, on), '/home/ada/.venv/bin/python');
});
