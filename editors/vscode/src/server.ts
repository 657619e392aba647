/** Finding, starting, restarting and stopping the language server, one of these at a time. */
import { createInterface } from 'node:readline';
import * as vscode from 'vscode';
import {
  CloseAction,
  ErrorAction,
  ExecuteCommandRequest,
  LanguageClient,
  RevealOutputChannelOn,
  type LanguageClientOptions,
} from 'vscode-languageclient/node';
import type { Asks, Proposed } from './api';
import { findServer, type Command } from './lookup';
import { probe, thisMachine } from './machine';
import type { Preview } from './preview';
import type { PythonExtension } from './pythonExtension';
import { folders, readSettings, SECTION } from './settings';
import type { Status } from './status';

/** Settings and choices arrive in bursts while somebody types into settings.json. */
const DEBOUNCE_MS = 500;
/** A server that stops this often within the window is left alone until somebody asks for a restart. */
const MAX_CRASHES = 3;
const CRASH_WINDOW_MS = 3 * 60_000;
/** How long a server may take to answer for the first time. */
const START_MS = 30_000;

/** All that a link in a hover may run, whatever the text around it says: each takes opaque ids and changes nothing unasked. */
const LINKED_COMMANDS = ['tracelens.showCalls', 'tracelens.fix', 'tracelens.why'];

const OPEN_SETTING = 'Open Setting';
const SHOW_OUTPUT = 'Show Output';
const RESTART = 'Restart';
const CREATE = 'Create an Environment…';

/** Says its errors to the output channel alone: to the user we say one thing, with something to press. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    // The stack of a bundled client helps nobody.
    super.error(message, data instanceof Error ? data.message : data, false);
  }
}

export class Server implements vscode.Disposable, Asks {
  private readonly changed = new vscode.EventEmitter<void>();
  /** The server runs, has other data or another choice of runs: ask again. */
  readonly onDidChange = this.changed.event;
  private client: QuietClient | undefined;
  /** The end of the queue of starts and stops; never rejects. */
  private queue: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private crashes: number[] = [];
  /** What the running server was started with, to leave it alone when nothing that matters has changed. */
  private startedWith = '';

  constructor(
    private readonly log: vscode.LogOutputChannel,
    private readonly status: Status,
    private readonly python: PythonExtension,
    private readonly preview: Preview,
  ) {}

  /** Stop the server if it runs, and start it from today's settings. */
  restart(): Promise<void> {
    clearTimeout(this.timer);
    return this.enqueue(async () => {
      this.startedWith = '';
      await this.start();
    });
  }

  /** Restart soon, if an interpreter, the folders or the trust are other than the server was started with. */
  refresh(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.enqueue(() => this.start()), DEBOUNCE_MS);
  }

  /** After a change that can only matter when no server was found: a running one is told of new folders by the client. */
  refreshIfStopped(): void {
    if (this.client?.isRunning() !== true) {
      this.refresh();
    }
  }

  /** Have the server run one of its own commands. Throws what the server answers when it cannot. */
  async execute(command: string, args: unknown[] = []): Promise<void> {
    await this.queue;
    if (this.client?.isRunning() !== true) {
      this.tell('The language server is not running.', RESTART, SHOW_OUTPUT);
      return;
    }
    await this.client.sendRequest(ExecuteCommandRequest.type, { command, arguments: args });
  }

  /** Ask the server what the protocol has no method for; undefined while it does not run or cannot say. */
  async ask<T>(method: string, params: object = {}): Promise<T | undefined> {
    if (this.client?.isRunning() !== true) {
      return undefined;
    }
    try {
      return await this.client.sendRequest<T>(method, params);
    } catch (error) {
      this.log.debug(`${method}: ${String(error)}`);
      return undefined;
    }
  }

  stop(): Promise<void> {
    clearTimeout(this.timer);
    return this.enqueue(() => this.discard());
  }

  dispose(): void {
    void this.stop();
    this.changed.dispose();
  }

  private enqueue(step: () => Promise<void>): Promise<void> {
    this.queue = this.queue.then(step).catch((error: unknown) => {
      this.log.error(error instanceof Error ? error : String(error));
    });
    return this.queue;
  }

  private async start(): Promise<void> {
    const { interpreter, ...settings } = readSettings();
    const trusted = vscode.workspace.isTrusted;
    const chosen = settings.projectInterpreter || (trusted ? await this.python.interpreter() : undefined);
    const wishes = { interpreter, projectInterpreter: chosen, folders: folders(), trusted };
    // The other settings reach a running server as they change.
    const key = JSON.stringify(wishes);
    if (key === this.startedWith) {
      return;
    }
    this.startedWith = key;
    await this.discard();
    this.status.show({ kind: 'starting' });

    const found = findServer(wishes, thisMachine());
    if (found.kind === 'not-found') {
      this.log.error([found.reason, 'Looked for:', ...found.looked.map((file) => `  ${file}`)].join('\n'));
      this.fail(found.reason, ...(trusted ? [CREATE] : []), OPEN_SETTING, SHOW_OUTPUT);
      return;
    }
    const objection = found.interpreter === undefined ? undefined : await probe(found.interpreter);
    if (objection !== undefined) {
      this.log.error(objection);
      this.fail(objection, ...(trusted ? [CREATE] : []), OPEN_SETTING, SHOW_OUTPUT);
      return;
    }
    await this.launch(found, { client: 'tracelens-vscode', ...settings, projectInterpreter: chosen ?? '' });
  }

  private async launch(found: Command, initializationOptions: object): Promise<void> {
    this.log.info(`Starting ${[found.command, ...found.args].join(' ')}`);
    let running = false;
    const clientOptions: LanguageClientOptions = {
      documentSelector: [{ scheme: 'file', language: 'python' }],
      initializationOptions,
      synchronize: { configurationSection: SECTION },
      markdown: { isTrusted: { enabledCommands: LINKED_COMMANDS }, supportHtml: false },
      outputChannel: this.log,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      // What Python writes to stderr is its log, errors or not.
      stdioOptions: {
        stdout: () => undefined,
        stderr: (input) => createInterface({ input }).on('line', (line) => this.log.info(line)),
      },
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => {
          // Restarting is done here and not by the client, so that there is one way to start.
          if (running) {
            this.crashed();
          }
          return { action: CloseAction.DoNotRestart, handled: true, message: 'The connection to the language server is closed.' };
        },
      },
    };
    const client = new QuietClient(
      SECTION,
      'TraceLens',
      { command: found.command, args: [...found.args] },
      clientOptions,
    );
    this.client = client;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`No answer within ${START_MS / 1000} s.`)), START_MS);
    });
    try {
      await Promise.race([client.start(), late]);
    } catch (error) {
      this.log.error(error instanceof Error ? error.message : String(error));
      await this.discard();
      this.fail('The language server did not start. The output says why.', SHOW_OUTPUT, RESTART);
      return;
    } finally {
      clearTimeout(timer);
    }
    running = true;
    client.onNotification('tracelens/changed', () => this.changed.fire());
    client.onRequest('tracelens/preview', async (proposed: Proposed) => {
      const edit = await client.protocol2CodeConverter.asWorkspaceEdit(proposed.edit);
      return { applied: edit !== undefined && (await this.preview.show(proposed.title, proposed.evidence, edit)) };
    });
    const info = client.initializeResult?.serverInfo;
    this.status.show({ kind: 'ready', server: [info?.name, info?.version].filter(Boolean).join(' ') || 'ready' });
    this.changed.fire();
  }

  /** The running server went away by itself. */
  private crashed(): void {
    const now = Date.now();
    this.crashes = [...this.crashes.filter((then) => now - then < CRASH_WINDOW_MS), now];
    if (this.crashes.length <= MAX_CRASHES) {
      this.log.warn('The language server stopped by itself; starting it again.');
      void this.restart();
    } else {
      this.crashes = [];
      this.fail('The language server keeps stopping. The output says why.', SHOW_OUTPUT, RESTART);
    }
  }

  /** Stop and forget the client, whatever state it is in. */
  private async discard(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    try {
      await client?.dispose();
    } catch (error) {
      // A client that never ran cannot be stopped, and says so by throwing.
      this.log.debug(`While stopping: ${String(error)}`);
    }
  }

  /** Say why there is no server: in the status, where it stays, and once in a message. */
  private fail(reason: string, ...buttons: string[]): void {
    this.status.show({ kind: 'stopped', reason });
    this.tell(reason, ...buttons);
  }

  private tell(reason: string, ...buttons: string[]): void {
    void vscode.window.showErrorMessage(`TraceLens: ${reason}`, ...buttons).then(async (pressed) => {
      if (pressed === OPEN_SETTING) {
        await vscode.commands.executeCommand('workbench.action.openSettings', 'tracelens.interpreter');
      } else if (pressed === CREATE) {
        await vscode.commands.executeCommand('tracelens.client.createEnvironment');
      } else if (pressed === SHOW_OUTPUT) {
        this.log.show();
      } else if (pressed === RESTART) {
        await this.restart();
      }
    });
  }
}
