/**
 * The commands of the palette. Those that the server does have an id of their own here: the client library registers the
 * server's commands under the server's names, and only while the server runs.
 */
import * as vscode from 'vscode';
import { createEnvironment } from './environment';
import type { FlameGraph } from './flame';
import type { HeatPainter } from './heat';
import type { RunStatus } from './runs';
import type { Server } from './server';
import type { Tree } from './tree';

export interface Surfaces {
  readonly heat: HeatPainter;
  readonly tree: Tree;
  readonly flame: FlameGraph;
  readonly runs: RunStatus;
}

export function registerCommands(
  server: Server,
  log: vscode.LogOutputChannel,
  storage: vscode.Uri,
  surfaces: Surfaces,
): vscode.Disposable[] {
  const commands: Record<string, (...given: never[]) => unknown> = {
    'tracelens.client.chooseRun': (id?: string) => surfaces.runs.pick(typeof id === 'string' ? id : undefined),
    'tracelens.client.toggleHeat': () => surfaces.heat.toggle(),
    'tracelens.client.flameGraph': () => surfaces.flame.open(),
    'tracelens.client.refresh': () => surfaces.tree.refresh(),
    'tracelens.client.goTo': goTo,
    'tracelens.client.createEnvironment': () => createEnvironment(storage, log),
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

/** Only files are opened: what is named comes from an index, and is not to run anything. */
async function goTo(uri: string, line: number): Promise<void> {
  const target = vscode.Uri.parse(uri, true);
  if (target.scheme === 'file') {
    const position = new vscode.Position(Math.max(0, line), 0);
    await vscode.window.showTextDocument(target, { selection: new vscode.Range(position, position), viewColumn: vscode.ViewColumn.One });
  }
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
