/** The `tracelens.*` settings: read in one place, typed, and in the shape that the server is told them. */
import * as os from 'node:os';
import * as vscode from 'vscode';
import { expand } from './lookup';

export const SECTION = 'tracelens';

export interface Settings {
  /** As it was typed; empty when unset. */
  readonly interpreter: string;
  /** Absolute; empty when unset. */
  readonly projectInterpreter: string;
  readonly inlayHints: 'off' | 'hot' | 'all';
  readonly parameterHints: 'off' | 'hot' | 'all';
  readonly documentSymbols: 'off' | 'seen' | 'all';
  readonly codeLens: { readonly enabled: boolean; readonly most: number };
  readonly hot: { readonly functions: number; readonly leastPercent: number };
  readonly diagnostics: { readonly enabled: boolean; readonly unreached: boolean };
  readonly indexOnSave: boolean;
}

export function readSettings(): Settings {
  const section = vscode.workspace.getConfiguration(SECTION);
  const projectInterpreter = section.get('projectInterpreter', '').trim();
  return {
    interpreter: section.get('interpreter', '').trim(),
    projectInterpreter:
      projectInterpreter && expand(projectInterpreter, folders()[0], { platform: process.platform, home: os.homedir() }),
    inlayHints: section.get('inlayHints', 'hot'),
    parameterHints: section.get('parameterHints', 'hot'),
    documentSymbols: section.get('documentSymbols', 'seen'),
    codeLens: { enabled: section.get('codeLens.enabled', true), most: section.get('codeLens.most', 20) },
    hot: { functions: section.get('hot.functions', 5), leastPercent: section.get('hot.leastPercent', 2) },
    diagnostics: {
      enabled: section.get('diagnostics.enabled', true),
      unreached: section.get('diagnostics.unreached', false),
    },
    indexOnSave: section.get('indexOnSave', true),
  };
}

/** The workspace folders that are on disk, as absolute paths. */
export function folders(): string[] {
  return (vscode.workspace.workspaceFolders ?? [])
    .filter((folder) => folder.uri.scheme === 'file')
    .map((folder) => folder.uri.fsPath);
}
