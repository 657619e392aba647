/** What this machine answers: which files can be run, and whether an interpreter has the language server. */
import { execFile } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { promisify } from 'node:util';
import type { Machine } from './lookup';

/** The machine that we run on. */
export function thisMachine(): Machine {
  return {
    platform: process.platform,
    home: os.homedir(),
    searchPath: process.env['PATH'] ?? '',
    exists(file) {
      try {
        accessSync(file, constants.X_OK);
        return statSync(file).isFile();
      } catch {
        return false;
      }
    },
  };
}

/** How long an interpreter may take to answer, in milliseconds. */
const PROBE_MS = 10_000;

/** Ask an interpreter whether it can run the server; a sentence when it cannot. */
export async function probe(interpreter: string): Promise<string | undefined> {
  return asked(interpreter, true);
}

/** Ask an interpreter whether it is new enough for the server; a sentence when it is not. */
export async function versionProblem(interpreter: string): Promise<string | undefined> {
  return asked(interpreter, false);
}

async function asked(interpreter: string, installed: boolean): Promise<string | undefined> {
  const code = "import importlib.util as u, sys; print('%d.%d' % sys.version_info[:2], bool(u.find_spec('tracelens_lsp')))";
  try {
    // -P is not understood before 3.11: asked without it, from a folder that holds no code of the user's.
    const { stdout } = await promisify(execFile)(interpreter, ['-c', code], {
      timeout: PROBE_MS,
      cwd: path.dirname(interpreter),
    });
    const [version, has] = stdout.trim().split(' ');
    const [major = 0, minor = 0] = (version ?? '').split('.').map(Number);
    if (major < 3 || (major === 3 && minor < 11)) {
      return `${interpreter} is Python ${version}; the language server needs 3.11 or newer. Choose another in the setting tracelens.interpreter.`;
    }
    if (installed && has !== 'True') {
      return `${interpreter} does not have tracelens-lsp installed. Install it there, or choose another Python in the setting tracelens.interpreter.`;
    }
    return undefined;
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim().split('\n').at(-1);
    return `${interpreter} could not be run as a Python${said ? ` (${said})` : ''}. Choose another in the setting tracelens.interpreter.`;
  }
}
