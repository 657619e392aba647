/** A change that the server proposes, as a diff with what speaks for it as its title; applied only when a person says so. */
import * as vscode from 'vscode';

const SCHEME = 'tracelens-preview';
const APPLY = 'Apply';

export class Preview implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly texts = new Map<string, string>();
  private readonly registered = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
  private shown = 0;

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(uri.toString()) ?? '';
  }

  /** Whether it was applied. */
  async show(title: string, evidence: string, edit: vscode.WorkspaceEdit): Promise<boolean> {
    const applied = new vscode.WorkspaceEdit();
    const pages: vscode.Uri[] = [];
    const made: { document: vscode.TextDocument; version: number }[] = [];
    for (const [uri, edits] of edit.entries()) {
      const there = await vscode.workspace.openTextDocument(uri).then(
        (document) => document,
        () => undefined,
      );
      if (there === undefined) {
        applied.createFile(uri);
      }
      // What the server asks to have confirmed is confirmed here: the edits go on without their annotations.
      applied.set(uri, edits);
      const before = there === undefined ? this.page(uri, 'before', '') : uri;
      if (there === undefined) {
        pages.push(before);
      } else {
        made.push({ document: there, version: there.version });
      }
      const after = this.page(uri, 'after', there === undefined ? edits.map((one) => one.newText).join('') : changed(there, edits));
      pages.push(after);
      await vscode.commands.executeCommand('vscode.diff', before, after, `${title} — ${evidence}`, { preview: true });
    }
    const chosen = pages.length > 0 ? await vscode.window.showInformationMessage(`TraceLens: ${title} — ${evidence}`, APPLY) : undefined;
    // The places of an edit are those of the text that it was made for.
    const edited = made.some(({ document, version }) => document.version !== version);
    await this.close(pages);
    if (chosen !== APPLY) {
      return false;
    }
    if (edited) {
      void vscode.window.showWarningMessage(`TraceLens: ${title} was not applied: the text was edited meanwhile. Ask for it again.`);
      return false;
    }
    return vscode.workspace.applyEdit(applied);
  }

  private page(uri: vscode.Uri, side: string, text: string): vscode.Uri {
    const page = vscode.Uri.from({ scheme: SCHEME, path: uri.path, query: `${side}-${++this.shown}` });
    this.texts.set(page.toString(), text);
    return page;
  }

  private async close(pages: readonly vscode.Uri[]): Promise<void> {
    const names = new Set(pages.map(String));
    const tabs = vscode.window.tabGroups.all
      .flatMap((group) => group.tabs)
      .filter((tab) => tab.input instanceof vscode.TabInputTextDiff && names.has(tab.input.modified.toString()));
    await vscode.window.tabGroups.close(tabs);
    names.forEach((name) => this.texts.delete(name));
  }

  dispose(): void {
    this.registered.dispose();
  }
}

/** The text of a document after edits, which do not overlap. */
function changed(document: vscode.TextDocument, edits: readonly vscode.TextEdit[]): string {
  let text = document.getText();
  for (const edit of [...edits].sort((a, b) => b.range.start.compareTo(a.range.start))) {
    text = text.slice(0, document.offsetAt(edit.range.start)) + edit.newText + text.slice(document.offsetAt(edit.range.end));
  }
  return text;
}
