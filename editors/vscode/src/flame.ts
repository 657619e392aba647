/** The flame graph of the chosen runs in a panel: icicles from the top, a click goes to the code. */
import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import type { Asks, Bar } from './api';

export class FlameGraph implements vscode.Disposable {
  private panel: vscode.WebviewPanel | undefined;

  constructor(private readonly server: Asks) {}

  async open(): Promise<void> {
    if (this.panel === undefined) {
      const panel = vscode.window.createWebviewPanel('tracelens.flame', 'TraceLens: Flame Graph', vscode.ViewColumn.Beside, {
        enableScripts: true,
        localResourceRoots: [],
      });
      panel.onDidDispose(() => (this.panel = undefined));
      panel.webview.onDidReceiveMessage((message: { uri?: unknown; line?: unknown }) => {
        if (typeof message.uri === 'string' && typeof message.line === 'number') {
          void vscode.commands.executeCommand('tracelens.client.goTo', message.uri, message.line);
        }
      });
      this.panel = panel;
    } else {
      this.panel.reveal();
    }
    await this.refresh();
  }

  async refresh(): Promise<void> {
    if (this.panel !== undefined) {
      const bars = (await this.server.ask<Bar[]>('tracelens/flameGraph')) ?? [];
      this.panel.webview.html = page(bars);
    }
  }

  dispose(): void {
    this.panel?.dispose();
  }
}

/** One page without a network: names come from the program that was recorded, so they are text and never markup. */
function page(bars: readonly Bar[]): string {
  const nonce = randomBytes(16).toString('base64');
  const data = JSON.stringify(bars).replace(/</g, '\\u003c');
  return `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}';">
<style nonce="${nonce}">
body { color: var(--vscode-foreground); font: 12px var(--vscode-font-family); padding: 8px; }
#graph { position: relative; }
.bar { position: absolute; height: 19px; box-sizing: border-box; overflow: hidden; white-space: nowrap; text-align: left; padding: 1px 4px;
  border: 0; border-right: 1px solid var(--vscode-editor-background); border-bottom: 1px solid var(--vscode-editor-background);
  color: var(--vscode-editor-foreground); background: color-mix(in srgb, var(--vscode-charts-orange) var(--heat), var(--vscode-editorWidget-background));
  font: inherit; cursor: pointer; }
.bar:hover, .bar:focus { outline: 1px solid var(--vscode-focusBorder); z-index: 1; }
.bar.dim { opacity: .35; }
#find { color: inherit; background: var(--vscode-input-background); border: 1px solid var(--vscode-input-border, transparent); padding: 3px 6px; margin-bottom: 8px; width: 260px; }
#told { margin-left: 10px; color: var(--vscode-descriptionForeground); }
</style></head><body><input id="find" type="search" placeholder="Find a function" aria-label="Find a function"><span id="told"></span>
<div id="graph"></div><script nonce="${nonce}">
const bars = ${data};
const vscode = acquireVsCodeApi();
const graph = document.getElementById('graph'), told = document.getElementById('told'), find = document.getElementById('find');
if (bars.length === 0) told.textContent = 'Nothing with times and callers was recorded yet: tracelens record -- pytest';
graph.style.height = 20 * (1 + Math.max(0, ...bars.map((bar) => bar.depth))) + 'px';
const drawn = bars.map((bar) => {
  const element = document.createElement('button');
  element.className = 'bar';
  element.style.left = bar.start * 100 + '%';
  element.style.width = bar.width * 100 + '%';
  element.style.top = bar.depth * 20 + 'px';
  element.style.setProperty('--heat', Math.round(15 + 70 * bar.width) + '%');
  element.textContent = bar.width > 0.02 ? bar.name : '';
  element.title = bar.name + ' — ' + bar.told + ' · ' + (bar.width * 100).toFixed(1) + ' %';
  element.addEventListener('click', () => vscode.postMessage({ uri: bar.uri, line: bar.line }));
  element.addEventListener('mouseenter', () => (told.textContent = element.title));
  graph.append(element);
  return element;
});
find.addEventListener('input', () => {
  const wanted = find.value.toLowerCase();
  drawn.forEach((element, at) => element.classList.toggle('dim', wanted !== '' && !bars[at].name.toLowerCase().includes(wanted)));
});
</script></body></html>`;
}
