/** The side bar: hot paths, failures and runs, each with a place to go to. */
import * as vscode from 'vscode';
import type { Asks, Choice, Listed, Overview, Runs } from './api';

type Node = Group | Entry | RunEntry;
interface Group {
  readonly kind: 'group';
  readonly title: string;
  readonly icon: string;
  readonly nodes: readonly Node[];
}
interface Entry {
  readonly kind: 'entry';
  readonly entry: Listed;
  readonly icon: string;
}
interface RunEntry {
  readonly kind: 'run';
  readonly run: Choice;
  readonly chosen: boolean;
}

export class Tree implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.changed.event;
  private readonly view = vscode.window.createTreeView<Node>('tracelens.overview', { treeDataProvider: this });

  constructor(private readonly server: Asks) {}

  refresh(): void {
    this.changed.fire();
  }

  async getChildren(node?: Node): Promise<Node[]> {
    if (node !== undefined) {
      return node.kind === 'group' ? [...node.nodes] : [];
    }
    const [overview, runs] = await Promise.all([
      this.server.ask<Overview>('tracelens/overview'),
      this.server.ask<Runs>('tracelens/runs'),
    ]);
    // Empty, the view shows its welcome, which says what to do.
    if (overview === undefined || (overview.hot.length === 0 && overview.failures.length === 0)) {
      return [];
    }
    const entries = (listed: readonly Listed[], icon: string): Node[] => listed.map((entry) => ({ kind: 'entry', entry, icon }));
    const run = (choice: Choice): Node => ({ kind: 'run', run: choice, chosen: choice.id === (runs?.choice ?? '') });
    const groups: Group[] = [
      { kind: 'group', title: 'Hot paths', icon: 'flame', nodes: entries(overview.hot, 'symbol-method') },
      { kind: 'group', title: 'Failures', icon: 'warning', nodes: entries(overview.failures, 'error') },
      { kind: 'group', title: 'Runs', icon: 'history', nodes: overview.runs.map(run) },
    ];
    return groups.filter((group) => group.nodes.length > 0);
  }

  getTreeItem(node: Node): vscode.TreeItem {
    if (node.kind === 'group') {
      const item = new vscode.TreeItem(node.title, vscode.TreeItemCollapsibleState.Expanded);
      item.iconPath = new vscode.ThemeIcon(node.icon);
      return item;
    }
    const { title, detail } = node.kind === 'run' ? node.run : node.entry;
    const item = new vscode.TreeItem(title);
    item.description = detail;
    item.tooltip = `${title} — ${detail}`;
    if (node.kind === 'run') {
      item.iconPath = new vscode.ThemeIcon(node.chosen ? 'check' : 'circle-outline');
      item.command = { command: 'tracelens.client.chooseRun', title: 'Show This Run', arguments: [node.run.id] };
    } else {
      item.iconPath = new vscode.ThemeIcon(node.icon, new vscode.ThemeColor(heatColor(node.entry.step)));
      item.command = { command: 'tracelens.client.goTo', title: 'Go to Code', arguments: [node.entry.uri, node.entry.line] };
    }
    return item;
  }

  dispose(): void {
    this.view.dispose();
    this.changed.dispose();
  }
}

function heatColor(step: number | undefined): string {
  return step === undefined ? 'tracelens.heatFailed' : step === 0 ? 'foreground' : `tracelens.heat${step}`;
}
