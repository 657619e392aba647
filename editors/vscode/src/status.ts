/** The one language status item: what the server is doing, in the `{}` menu of a Python file. */
import * as vscode from 'vscode';

export type State =
  | { readonly kind: 'starting' }
  | { readonly kind: 'ready'; readonly server: string }
  | { readonly kind: 'stopped'; readonly reason: string };

export class Status implements vscode.Disposable {
  private readonly item = vscode.languages.createLanguageStatusItem('tracelens.server', { language: 'python' });

  constructor() {
    this.item.name = 'TraceLens';
    this.show({ kind: 'starting' });
  }

  show(state: State): void {
    const item = this.item;
    item.busy = state.kind === 'starting';
    item.command = { command: 'tracelens.showOutput', title: 'Output' };
    switch (state.kind) {
      case 'starting':
        item.severity = vscode.LanguageStatusSeverity.Information;
        item.text = 'TraceLens';
        item.detail = 'starting';
        break;
      case 'ready':
        item.severity = vscode.LanguageStatusSeverity.Information;
        item.text = 'TraceLens';
        item.detail = state.server;
        break;
      case 'stopped':
        item.severity = vscode.LanguageStatusSeverity.Error;
        item.text = 'TraceLens is not running';
        item.detail = state.reason;
        item.command = { command: 'tracelens.restartServer', title: 'Restart' };
        break;
    }
  }

  dispose(): void {
    this.item.dispose();
  }
}
