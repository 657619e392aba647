/** Where the editor enters: makes the parts, wires the commands and the events to them, and starts the server. */
import * as vscode from 'vscode';
import { registerCommands } from './commands';
import { FlameGraph } from './flame';
import { HeatPainter } from './heat';
import { Preview } from './preview';
import { PythonExtension } from './pythonExtension';
import { RunStatus } from './runs';
import { Server } from './server';
import { SECTION } from './settings';
import { Status } from './status';
import { Tree } from './tree';

let server: Server | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel('TraceLens', { log: true });
  const status = new Status();
  const python = new PythonExtension(log);
  const preview = new Preview();
  const running = (server = new Server(log, status, python, preview));
  const heat = new HeatPainter(running);
  const tree = new Tree(running);
  const flame = new FlameGraph(running);
  const runs = new RunStatus(running, (id) => running.execute('tracelens.chooseRun', [id]));

  context.subscriptions.push(
    log,
    status,
    python,
    preview,
    heat,
    tree,
    flame,
    runs,
    ...registerCommands(running, log, context.globalStorageUri, { heat, tree, flame, runs }),
    running.onDidChange(() => {
      tree.refresh();
      void heat.paint();
      void flame.refresh();
      void runs.refresh();
    }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration(SECTION)) {
        running.refresh();
      }
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => running.refresh()),
    vscode.workspace.onDidChangeWorkspaceFolders(() => running.refreshIfStopped()),
    python.onDidChange(() => running.refresh()),
  );
  // Not awaited: activation is over at once, and the server comes when it comes.
  void running.restart();
}

export function deactivate(): Promise<void> | undefined {
  return server?.stop();
}
