/** Heat: a thin bar beside the lines of hot functions and marks in the overview ruler, in eight steps of the theme's colours. */
import * as vscode from 'vscode';
import type { Asks, Heat } from './api';

const STEPS = 8;
/** Positions follow the text by themselves while somebody types; this is how long to wait before asking again. */
const TYPING_MS = 400;

export class HeatPainter implements vscode.Disposable {
  private readonly steps = Array.from({ length: STEPS }, (_unused, step) => decoration(`tracelens.heat${step + 1}`));
  private readonly failed = decoration('tracelens.heatFailed');
  private readonly subscriptions: vscode.Disposable[];
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly server: Asks) {
    this.subscriptions = [
      vscode.window.onDidChangeVisibleTextEditors(() => void this.paint()),
      vscode.workspace.onDidChangeTextDocument(() => this.paintSoon()),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration('tracelens.heat')) {
          void this.paint();
        }
      }),
    ];
  }

  /** Ask again for what every visible editor shows. */
  async paint(): Promise<void> {
    const enabled = vscode.workspace.getConfiguration('tracelens').get('heat.enabled', true);
    for (const editor of vscode.window.visibleTextEditors) {
      const { document } = editor;
      if (document.languageId !== 'python' || document.uri.scheme !== 'file') {
        continue;
      }
      const version = document.version;
      const textDocument = { uri: document.uri.toString() };
      const found = enabled ? await this.server.ask<Heat[]>('tracelens/heat', { textDocument }) : [];
      // Without an answer, or with one to an older text, what is there stays: nothing flickers.
      if (found !== undefined && document.version === version) {
        this.show(editor, found);
      }
    }
  }

  async toggle(): Promise<void> {
    const section = vscode.workspace.getConfiguration('tracelens');
    await section.update('heat.enabled', !section.get('heat.enabled', true), vscode.ConfigurationTarget.Global);
  }

  dispose(): void {
    clearTimeout(this.timer);
    vscode.Disposable.from(...this.subscriptions, ...this.steps, this.failed).dispose();
  }

  private paintSoon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.paint(), TYPING_MS);
  }

  private show(editor: vscode.TextEditor, found: readonly Heat[]): void {
    const last = editor.document.lineCount - 1;
    const options = (heat: Heat): vscode.DecorationOptions => ({
      range: new vscode.Range(Math.min(heat.first_line, last), 0, Math.min(heat.last_line, last), 0),
    });
    this.steps.forEach((type, step) =>
      editor.setDecorations(type, found.filter((heat) => heat.step === step + 1 && !heat.failed).map(options)),
    );
    editor.setDecorations(this.failed, found.filter((heat) => heat.failed).map(options));
  }
}

function decoration(color: string): vscode.TextEditorDecorationType {
  const themed = new vscode.ThemeColor(color);
  return vscode.window.createTextEditorDecorationType({
    isWholeLine: true,
    borderWidth: '0 0 0 3px',
    borderStyle: 'solid',
    borderColor: themed,
    overviewRulerColor: themed,
    overviewRulerLane: vscode.OverviewRulerLane.Left,
    rangeBehavior: vscode.DecorationRangeBehavior.OpenClosed,
  });
}
