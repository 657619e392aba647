/**
 * Where the language server is: pure rules over a description of the machine, so that they are tested without an editor.
 * Must never import `vscode` or read the disk itself.
 */
import * as path from 'node:path';

/** What the rules may know; `exists` is true for a file that can be run. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly home: string;
  /** The value of PATH; relative entries are ignored, since they would name files of whatever folder we happen to be in. */
  readonly searchPath: string;
  exists(file: string): boolean;
}

/** What the user and the workspace say; paths are absolute, except in `interpreter`. */
export interface Wishes {
  /** `tracelens.interpreter` as it was typed; empty when unset. */
  readonly interpreter: string;
  /** The Python that runs the project's code, if one is known. */
  readonly projectInterpreter: string | undefined;
  /** Workspace folders on disk, first one first. */
  readonly folders: readonly string[];
  /** False in Restricted Mode: then nothing inside the workspace is run. */
  readonly trusted: boolean;
}

export interface Command {
  readonly kind: 'command';
  readonly command: string;
  readonly args: readonly string[];
  /** The interpreter named by the setting, to be asked for `tracelens_lsp` before it is started; otherwise undefined. */
  readonly interpreter: string | undefined;
}

export interface NotFound {
  readonly kind: 'not-found';
  /** One sentence: what is wrong and what to do. */
  readonly reason: string;
  /** Files that were looked for, in order. */
  readonly looked: readonly string[];
}

/**
 * Find the server: the interpreter of the setting, else `tracelens-lsp` in the `.venv` of a workspace folder, beside the
 * project's interpreter, then on PATH. A setting that names nothing is an error, never a reason to run something else.
 */
export function findServer(wishes: Wishes, machine: Machine): Command | NotFound {
  const p = machine.platform === 'win32' ? path.win32 : path.posix;

  if (wishes.interpreter !== '') {
    const interpreter = expand(wishes.interpreter, wishes.folders[0], machine);
    if (!machine.exists(interpreter)) {
      return {
        kind: 'not-found',
        reason: `The setting tracelens.interpreter names ${interpreter}, which is not there. Choose the Python that has tracelens-lsp installed.`,
        looked: [interpreter],
      };
    }
    if (!wishes.trusted && wishes.folders.some((folder) => isInside(interpreter, folder, p))) {
      return {
        kind: 'not-found',
        reason: `The setting tracelens.interpreter names ${interpreter}, which is inside a workspace that is not trusted. Trust it, or choose another Python.`,
        looked: [interpreter],
      };
    }
    // -P keeps the folder that the server starts in, the user's own code, off its import path.
    return { kind: 'command', command: interpreter, args: ['-P', '-m', 'tracelens_lsp'], interpreter };
  }

  const script = machine.platform === 'win32' ? 'tracelens-lsp.exe' : 'tracelens-lsp';
  const scripts = machine.platform === 'win32' ? 'Scripts' : 'bin';
  const folders = [
    ...(wishes.trusted ? wishes.folders.map((folder) => p.join(folder, '.venv', scripts)) : []),
    ...(wishes.trusted && wishes.projectInterpreter ? [p.dirname(wishes.projectInterpreter)] : []),
    ...machine.searchPath.split(p.delimiter).filter((entry) => p.isAbsolute(entry)),
  ];
  const looked = [...new Set(folders.map((folder) => p.join(folder, script)))];
  const command = looked.find((file) => machine.exists(file));
  if (command !== undefined) {
    return { kind: 'command', command, args: [], interpreter: undefined };
  }
  return {
    kind: 'not-found',
    reason: wishes.trusted
      ? 'No language server was found. Choose the Python that has tracelens-lsp installed.'
      : 'No language server was found outside this workspace, which is not trusted. Trust it, or choose a Python in the user settings.',
    looked,
  };
}

function isInside(file: string, folder: string, p: path.PlatformPath): boolean {
  const [first] = p.relative(folder, file).split(p.sep);
  return first !== '..' && !p.isAbsolute(p.relative(folder, file));
}

/** Expand a leading `~` and `${workspaceFolder}`, and make the path absolute, from the first workspace folder. */
export function expand(value: string, folder: string | undefined, machine: Pick<Machine, 'platform' | 'home'>): string {
  const p = machine.platform === 'win32' ? path.win32 : path.posix;
  let text = value.trim();
  if (text === '~' || text.startsWith('~/') || text.startsWith('~\\')) {
    text = p.join(machine.home, text.slice(1));
  }
  if (folder !== undefined) {
    text = text.replaceAll('${workspaceFolder}', () => folder);
  }
  return p.isAbsolute(text) ? p.normalize(text) : p.resolve(folder ?? machine.home, text);
}
