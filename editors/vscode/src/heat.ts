/** Heat: a thin bar in the gutter beside hot and failing functions, and marks in the overview ruler, in eight steps. */
import * as vscode from 'vscode';
import type { Asks, Heat } from './api';

const STEPS = 8;
/** An icon of the gutter knows light from dark and no more of the theme. */
const LIGHT = { heat: '#c2410c', failed: '#b58900' };
const DARK = { heat: '#f0883e', failed: '#cca700' };
/** Positions follow the text by themselves while somebody types; this is how long to wait before asking again. */
const TYPING_MS = 400;

export class HeatPainter implements vscode.Disposable {
  private readonly steps = Array.from({ length: STEPS }, (_unused, step) =>
    decoration(`tracelens.heat${step + 1}`, 'heat', 0.2 + (0.8 * step) / (STEPS - 1)),
  );
  private readonly failed = decoration('tracelens.heatFailed', 'failed', 1);
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

function decoration(color: string, kind: 'heat' | 'failed', opacity: number): vscode.TextEditorDecorationType {
  return vscode.window.createTextEditorDecorationType({
    light: { gutterIconPath: bar(LIGHT[kind], opacity) },
    dark: { gutterIconPath: bar(DARK[kind], opacity) },
    gutterIconSize: '100% 100%',
    overviewRulerColor: new vscode.ThemeColor(color),
    overviewRulerLane: vscode.OverviewRulerLane.Left,
    rangeBehavior: vscode.DecorationRangeBehavior.OpenClosed,
  });
}

/** A bar as high as the line, at the left edge of the glyph margin, so that nothing in the text moves or is covered. */
function bar(color: string, opacity: number): vscode.Uri {
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" preserveAspectRatio="none">' +
    `<rect x="2" width="3" height="16" fill="${color}" fill-opacity="${opacity.toFixed(2)}"/></svg>`;
  return vscode.Uri.parse(`data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`);
}
