/** An environment of the server's own, made in the extension's folder when somebody asks for it. */
import { spawn } from 'node:child_process';
import { promises as fs } from 'node:fs';
import * as path from 'node:path';
import { createInterface } from 'node:readline';
import * as vscode from 'vscode';
import { interpreterOf, pythons, steps, type Step } from './creating';
import { probe, thisMachine, versionProblem } from './machine';
import { folders, readSettings, SECTION } from './settings';

/** Ask where the server comes from, install it, and set `tracelens.interpreter`; what goes wrong is said and logged. */
export async function createEnvironment(storage: vscode.Uri, log: vscode.LogOutputChannel): Promise<void> {
  const python = await suitable();
  if (python === undefined) {
    void vscode.window.showErrorMessage('TraceLens: no Python 3.11 or newer was found on PATH. Install one, then try again.');
    return;
  }
  const sources = await chooseSources();
  if (sources === undefined) {
    return;
  }
  const environment = path.join(storage.fsPath, 'server');
  const interpreter = interpreterOf(environment, process.platform);
  const plan = steps(python, environment, sources, process.platform);
  const problem = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: 'TraceLens', cancellable: true },
    async (progress, token) => {
      await fs.mkdir(storage.fsPath, { recursive: true });
      for (const step of plan) {
        progress.report({ message: `${step.title}…` });
        const said = await run(step, storage.fsPath, log, token);
        if (said !== undefined || token.isCancellationRequested) {
          return said ?? '';
        }
      }
      return probe(interpreter);
    },
  );
  if (problem === undefined) {
    await vscode.workspace.getConfiguration(SECTION).update('interpreter', interpreter, vscode.ConfigurationTarget.Global);
  } else if (problem !== '') {
    log.error(problem);
    const pressed = await vscode.window.showErrorMessage(`TraceLens: ${problem}`, 'Show Output');
    if (pressed !== undefined) {
      log.show();
    }
  }
}

/** The first Python that the server can run with. */
async function suitable(): Promise<string | undefined> {
  for (const python of pythons(thisMachine(), readSettings().projectInterpreter)) {
    if ((await versionProblem(python)) === undefined) {
      return python;
    }
  }
  return undefined;
}

/** A repository, or wheels; undefined when the person changes their mind. */
async function chooseSources(): Promise<string[] | undefined> {
  const here = [];
  for (const folder of folders()) {
    if (await isRepository(folder)) {
      here.push({ label: 'This workspace', description: folder, sources: [folder] });
    }
  }
  const repository = { label: 'The TraceLens repository…', description: 'a folder', sources: undefined };
  const wheels = { label: 'Wheels…', description: 'tracelens_lsp and tracelens_recorder', sources: undefined };
  const picked = await vscode.window.showQuickPick([...here, repository, wheels], {
    title: 'Where is the language server installed from?',
  });
  if (picked === undefined || picked.sources !== undefined) {
    return picked?.sources;
  }
  const chosen = await vscode.window.showOpenDialog(
    picked === wheels
      ? { canSelectMany: true, filters: { Wheels: ['whl'] }, openLabel: 'Install' }
      : { canSelectFolders: true, canSelectFiles: false, openLabel: 'Install' },
  );
  const files = chosen?.map((uri) => uri.fsPath);
  if (picked === repository && files?.[0] !== undefined && !(await isRepository(files[0]))) {
    void vscode.window.showErrorMessage(`TraceLens: ${files[0]} is not the TraceLens repository: it has no lsp/tracelens_lsp.`);
    return undefined;
  }
  return files;
}

async function isRepository(folder: string): Promise<boolean> {
  try {
    return (await fs.stat(path.join(folder, 'lsp', 'tracelens_lsp'))).isDirectory();
  } catch {
    return false;
  }
}

/** Run a step, its output to the log; a sentence when it failed. Cancelling ends it. */
function run(step: Step, cwd: string, log: vscode.LogOutputChannel, token: vscode.CancellationToken): Promise<string | undefined> {
  log.info([step.command, ...step.args].join(' '));
  return new Promise((resolve) => {
    const child = spawn(step.command, step.args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    const cancel = token.onCancellationRequested(() => child.kill());
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => log.info(line));
    }
    child.on('error', (error) => {
      cancel.dispose();
      resolve(`${step.command}: ${error.message}`);
    });
    child.on('close', (code) => {
      cancel.dispose();
      resolve(code === 0 ? undefined : token.isCancellationRequested ? '' : `${step.title} failed. The output says why.`);
    });
  });
}
