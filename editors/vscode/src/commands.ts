/**
 * The commands of the palette. Those that the server does have an id of their own here: the client library registers the
 * server's commands under the server's names, and only while the server runs.
 */
import * as vscode from 'vscode';
import type { Server } from './server';

export function registerCommands(server: Server, log: vscode.LogOutputChannel): vscode.Disposable[] {
  const commands: Record<string, () => unknown> = {
    'tracelens.restartServer': () => server.restart(),
    'tracelens.showOutput': () => log.show(),
    'tracelens.client.index': () => server.execute('tracelens.index'),
    'tracelens.client.import': () => importTraces(server),
    'tracelens.client.why': () => {
      const uri = vscode.window.activeTextEditor?.document.uri;
      return server.execute('tracelens.why', uri ? [uri.toString()] : []);
    },
  };
  return Object.entries(commands).map(([id, run]) => vscode.commands.registerCommand(id, run));
}

async function importTraces(server: Server): Promise<void> {
  const files = await vscode.window.showOpenDialog({ canSelectMany: true, openLabel: 'Import', title: 'Import traces' });
  if (files !== undefined) {
    await server.execute(
      'tracelens.import',
      files.map((file) => file.toString()),
    );
  }
}
