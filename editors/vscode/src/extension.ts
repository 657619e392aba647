/** Where the editor enters: makes the parts, wires the commands and the events to them, and starts the server. */
import * as vscode from 'vscode';
import { registerCommands } from './commands';
import { PythonExtension } from './pythonExtension';
import { Server } from './server';
import { SECTION } from './settings';
import { Status } from './status';

let server: Server | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel('TraceLens', { log: true });
  const status = new Status();
  const python = new PythonExtension(log);
  const running = (server = new Server(log, status, python));

  context.subscriptions.push(
    log,
    status,
    python,
    ...registerCommands(running, log),
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
