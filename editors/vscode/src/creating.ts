/**
 * How an environment for the language server is made: pure rules over a description of the machine, tested without an editor.
 * Must never import `vscode` or run anything itself.
 */
import * as path from 'node:path';
import type { Machine } from './lookup';

export interface Step {
  /** Shown while it runs. */
  readonly title: string;
  readonly command: string;
  readonly args: readonly string[];
}

/** Newest first; the last two may be older than the server wants, and are asked. */
const NAMES = ['python3.14', 'python3.13', 'python3.12', 'python3.11', 'python3', 'python'];

/** The Pythons on PATH, each once; the project's own first, since somebody chose it. */
export function pythons(machine: Machine, projectInterpreter: string | undefined): string[] {
  const p = machine.platform === 'win32' ? path.win32 : path.posix;
  const folders = machine.searchPath.split(p.delimiter).filter((entry) => p.isAbsolute(entry));
  const suffix = machine.platform === 'win32' ? '.exe' : '';
  const found = NAMES.flatMap((name) => folders.map((folder) => p.join(folder, name + suffix)));
  return [...new Set([...(projectInterpreter ? [projectInterpreter] : []), ...found])].filter((file) => machine.exists(file));
}

/** The interpreter of an environment. */
export function interpreterOf(environment: string, platform: NodeJS.Platform): string {
  return platform === 'win32'
    ? path.win32.join(environment, 'Scripts', 'python.exe')
    : path.posix.join(environment, 'bin', 'python');
}

/**
 * What to run, one after the other. `sources` are wheels, or one folder: the TraceLens repository, whose recorder is a
 * package of its own. Nothing is taken from an index by its name: that name may be anybody's.
 */
export function steps(python: string, environment: string, sources: readonly string[], platform: NodeJS.Platform): Step[] {
  const p = platform === 'win32' ? path.win32 : path.posix;
  const [first = ''] = sources;
  const packages = first.endsWith('.whl') ? [...sources] : [p.join(first, 'recorder'), first];
  return [
    // -I keeps whatever folder we happen to be in off the import path.
    { title: 'Making the environment', command: python, args: ['-I', '-m', 'venv', '--clear', environment] },
    {
      title: 'Installing the language server and what it needs',
      command: interpreterOf(environment, platform),
      args: ['-I', '-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', ...packages],
    },
  ];
}
