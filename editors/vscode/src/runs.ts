/** Which runs are shown: said in the language status, chosen from a list; every surface follows. */
import * as vscode from 'vscode';
import type { Asks, Choice, Runs } from './api';

interface Entry extends vscode.QuickPickItem {
  readonly id?: string;
}

export class RunStatus implements vscode.Disposable {
  private readonly item = vscode.languages.createLanguageStatusItem('tracelens.runs', { language: 'python' });

  constructor(
    private readonly server: Asks,
    private readonly choose: (id: string) => Promise<void>,
  ) {
    this.item.name = 'TraceLens Runs';
    this.item.text = 'TraceLens';
  }

  async refresh(): Promise<void> {
    const runs = await this.server.ask<Runs>('tracelens/runs');
    const nothing = runs === undefined || runs.told === 'not indexed' || runs.told === 'no runs yet';
    this.item.text = `TraceLens: ${runs?.told ?? 'not running'}`;
    this.item.detail = nothing ? 'tracelens record -- pytest' : runs.choice === '' ? 'current runs' : runs.choice.startsWith('test:') ? 'one test' : 'chosen';
    this.item.command = nothing
      ? { command: 'tracelens.client.why', title: 'Why?' }
      : { command: 'tracelens.client.chooseRun', title: 'Choose' };
  }

  /** Show the runs of a choice; without one, ask which. */
  async pick(id?: string): Promise<void> {
    if (id !== undefined) {
      await this.choose(id);
      return;
    }
    const runs = await this.server.ask<Runs>('tracelens/runs');
    if (runs === undefined || runs.choices.length === 0) {
      await vscode.commands.executeCommand('tracelens.client.why');
      return;
    }
    const entry = (choice: Choice): Entry => ({
      label: `${choice.id === runs.choice ? '$(check) ' : ''}${choice.title.replace(/\$\(/g, '$ (')}`,
      description: choice.detail,
      id: choice.id,
    });
    const isTest = (choice: Choice): boolean => choice.id.startsWith('test:');
    const tests = runs.choices.filter(isTest).map(entry);
    const items: Entry[] = runs.choices.filter((choice) => !isTest(choice)).map(entry);
    if (tests.length > 0) {
      items.push({ label: 'One test', kind: vscode.QuickPickItemKind.Separator }, ...tests);
    }
    const picked = await vscode.window.showQuickPick(items, {
      placeHolder: 'Which runs, or which test, are shown?',
      matchOnDescription: true,
    });
    if (picked?.id !== undefined) {
      await this.choose(picked.id);
    }
  }

  dispose(): void {
    this.item.dispose();
  }
}
