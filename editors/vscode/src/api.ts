/** What the server answers beyond the protocol: the shapes of `tracelens/*`. */
import type { WorkspaceEdit } from 'vscode-languageclient/node';

export interface Place {
  readonly uri: string;
  /** 0-based. */
  readonly line: number;
}

export interface Choice {
  readonly id: string;
  readonly title: string;
  readonly detail: string;
}

export interface Runs {
  readonly choice: string;
  /** What is shown, in a few words: "pytest · 2 min ago". */
  readonly told: string;
  readonly choices: readonly Choice[];
  /** Why there is no index; empty when there is one. */
  readonly problem: string;
}

export interface Heat {
  readonly first_line: number;
  readonly last_line: number;
  /** 1 … 8; 0 for a function that only failed. */
  readonly step: number;
  readonly failed: boolean;
  readonly stale: boolean;
  readonly told: string;
}

export interface Listed extends Place {
  readonly id: string;
  readonly title: string;
  readonly detail: string;
  readonly step?: number;
}

export interface Overview {
  readonly hot: readonly Listed[];
  readonly failures: readonly Listed[];
  readonly runs: readonly Choice[];
}

export interface Bar extends Place {
  readonly name: string;
  readonly depth: number;
  /** Shares of the whole, 0 … 1. */
  readonly start: number;
  readonly width: number;
  readonly told: string;
}

/** A change to be shown before it is applied. */
export interface Proposed {
  readonly title: string;
  /** What speaks for it, in a line. */
  readonly evidence: string;
  readonly edit: WorkspaceEdit;
}

/** Whoever can ask the server. Answers undefined while it does not run. */
export interface Asks {
  ask<T>(method: string, params?: object): Promise<T | undefined>;
}
