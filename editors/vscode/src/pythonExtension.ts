/**
 * The interpreter chosen in the Python extension, where that extension is installed. It is asked softly: it is no
 * dependency, since not every VS Code-like editor can install it, and whatever it answers or fails to answer is no error.
 */
import * as vscode from 'vscode';

/** The part of the extension's public API that is used here. */
interface PythonApi {
  readonly environments: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { readonly path: string };
    resolveEnvironment(path: { readonly path: string }): Promise<
      { readonly executable: { readonly uri?: vscode.Uri } } | undefined
    >;
    readonly onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
  };
}

/** How long to wait for the other extension before going on without it, in milliseconds. */
const PATIENCE_MS = 3000;

export class PythonExtension implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  /** Fires when another interpreter was chosen, and when the extension became ready after we had given up waiting. */
  readonly onDidChange = this.changed.event;
  private subscription: vscode.Disposable | undefined;
  private late = false;

  constructor(private readonly log: vscode.LogOutputChannel) {}

  /** Absolute path of the chosen interpreter; undefined when nothing is chosen or there is nobody to ask. */
  async interpreter(): Promise<string | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const giveUp = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => {
        this.late = true;
        resolve(undefined);
      }, PATIENCE_MS);
    });
    try {
      return await Promise.race([this.ask(), giveUp]);
    } catch (error) {
      this.log.warn(`The Python extension did not say which interpreter is chosen: ${String(error)}`);
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  private async ask(): Promise<string | undefined> {
    const extension = vscode.extensions.getExtension<PythonApi>('ms-python.python');
    if (extension === undefined) {
      return undefined;
    }
    const { environments } = await extension.activate();
    if (this.subscription === undefined) {
      this.subscription = environments.onDidChangeActiveEnvironmentPath(() => this.changed.fire());
    }
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
    const environment = await environments.resolveEnvironment(environments.getActiveEnvironmentPath(folder));
    if (this.late) {
      this.late = false;
      this.changed.fire();
    }
    return environment?.executable.uri?.fsPath;
  }

  dispose(): void {
    this.subscription?.dispose();
    this.changed.dispose();
  }
}
