/** Finding, starting, restarting and stopping the language server, one of these at a time. */
import { execFile } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import * as vscode from 'vscode';
import {
  CloseAction,
  ErrorAction,
  ExecuteCommandRequest,
  LanguageClient,
  RevealOutputChannelOn,
  type LanguageClientOptions,
} from 'vscode-languageclient/node';
import { findServer, type Command, type Machine } from './lookup';
import type { PythonExtension } from './pythonExtension';
import { folders, readSettings, SECTION } from './settings';
import type { Status } from './status';

/** Settings and choices arrive in bursts while somebody types into settings.json. */
const DEBOUNCE_MS = 500;
/** A server that stops this often within the window is left alone until somebody asks for a restart. */
const MAX_CRASHES = 3;
const CRASH_WINDOW_MS = 3 * 60_000;
/** How long an interpreter may take to say whether it has the server, and a server to answer for the first time. */
const PROBE_MS = 10_000;
const START_MS = 30_000;

const OPEN_SETTING = 'Open Setting';
const SHOW_OUTPUT = 'Show Output';
const RESTART = 'Restart';

/** Says its errors to the output channel alone: to the user we say one thing, with something to press. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

export class Server implements vscode.Disposable {
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
  ) {}

  /** Stop the server if it runs, and start it from today's settings. */
  restart(): Promise<void> {
    clearTimeout(this.timer);
    return this.enqueue(async () => {
      this.startedWith = '';
      await this.start();
    });
  }

  /** Restart soon, if the settings, the interpreter or the trust are other than the server was started with. */
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
      this.fail('The language server is not running.', RESTART, SHOW_OUTPUT);
      return;
    }
    await this.client.sendRequest(ExecuteCommandRequest.type, { command, arguments: args });
  }

  stop(): Promise<void> {
    clearTimeout(this.timer);
    return this.enqueue(() => this.discard());
  }

  dispose(): void {
    void this.stop();
  }

  private enqueue(step: () => Promise<void>): Promise<void> {
    this.queue = this.queue.then(step).catch((error: unknown) => {
      this.log.error(error instanceof Error ? error : String(error));
    });
    return this.queue;
  }

  private async start(): Promise<void> {
    const { interpreter, ...settings } = readSettings();
    const chosen = settings.projectInterpreter || (await this.python.interpreter());
    const wishes = {
      interpreter,
      projectInterpreter: chosen,
      folders: folders(),
      trusted: vscode.workspace.isTrusted,
    };
    const options = { client: 'tracelens-vscode', ...settings, projectInterpreter: chosen ?? '' };
    const key = JSON.stringify([wishes, options]);
    if (key === this.startedWith) {
      return;
    }
    this.startedWith = key;
    await this.discard();
    this.status.show({ kind: 'starting' });

    const found = findServer(wishes, thisMachine());
    if (found.kind === 'not-found') {
      this.log.error([found.reason, 'Looked for:', ...found.looked.map((file) => `  ${file}`)].join('\n'));
      this.fail(found.reason, OPEN_SETTING, SHOW_OUTPUT);
      return;
    }
    const objection = found.interpreter === undefined ? undefined : await probe(found.interpreter);
    if (objection !== undefined) {
      this.log.error(objection);
      this.fail(objection, OPEN_SETTING, SHOW_OUTPUT);
      return;
    }
    await this.launch(found, options);
  }

  private async launch(found: Command, initializationOptions: object): Promise<void> {
    this.log.info(`Starting ${[found.command, ...found.args].join(' ')}`);
    let running = false;
    const clientOptions: LanguageClientOptions = {
      documentSelector: [{ scheme: 'file', language: 'python' }],
      initializationOptions,
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
          return { action: CloseAction.DoNotRestart, handled: true };
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
      this.log.error(error instanceof Error ? error : String(error));
      await this.discard();
      this.fail('The language server did not start. The output says why.', SHOW_OUTPUT, RESTART);
      return;
    } finally {
      clearTimeout(timer);
    }
    running = true;
    const info = client.initializeResult?.serverInfo;
    this.status.show({ kind: 'ready', server: [info?.name, info?.version].filter(Boolean).join(' ') || 'ready' });
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

  private fail(reason: string, ...buttons: string[]): void {
    this.status.show({ kind: 'stopped', reason });
    void vscode.window.showErrorMessage(`TraceLens: ${reason}`, ...buttons).then(async (pressed) => {
      if (pressed === OPEN_SETTING) {
        await vscode.commands.executeCommand('workbench.action.openSettings', 'tracelens.interpreter');
      } else if (pressed === SHOW_OUTPUT) {
        this.log.show();
      } else if (pressed === RESTART) {
        await this.restart();
      }
    });
  }
}

function thisMachine(): Machine {
  return {
    platform: process.platform,
    home: os.homedir(),
    searchPath: process.env['PATH'] ?? '',
    exists(file) {
      try {
        accessSync(file, constants.X_OK);
        return statSync(file).isFile();
      } catch {
        return false;
      }
    },
  };
}

/** Ask an interpreter whether it can run the server; a sentence when it cannot. */
async function probe(interpreter: string): Promise<string | undefined> {
  const code = "import importlib.util as u, sys; print('%d.%d' % sys.version_info[:2], bool(u.find_spec('tracelens_lsp')))";
  try {
    // -P is not understood before 3.11: asked without it, from a folder that holds no code of the user's.
    const { stdout } = await promisify(execFile)(interpreter, ['-c', code], {
      timeout: PROBE_MS,
      cwd: path.dirname(interpreter),
    });
    const [version, has] = stdout.trim().split(' ');
    const [major = 0, minor = 0] = (version ?? '').split('.').map(Number);
    if (major < 3 || (major === 3 && minor < 11)) {
      return `${interpreter} is Python ${version}; the language server needs 3.11 or newer. Choose another in the setting tracelens.interpreter.`;
    }
    if (has !== 'True') {
      return `${interpreter} does not have tracelens-lsp installed. Install it there, or choose another Python in the setting tracelens.interpreter.`;
    }
    return undefined;
  } catch (error) {
    return `${interpreter} could not be run as a Python: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`;
  }
}
