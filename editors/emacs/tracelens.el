;;; tracelens.el --- TraceLens through Eglot  -*- lexical-binding: t; -*-
;; Load this file from your init file, with `tracelens-lsp' on PATH, and say M-x eglot in a Python buffer.
;; Eglot talks to one server per buffer: this one takes the place of another Python server.
;; Eglot shows no code lenses; the same is in hover (M-x eldoc), inlay hints, Flymake and M-x eglot-code-actions.

(require 'eglot)

;; A fix is proved while Eglot waits for it, and ten seconds are not enough on a busy machine.
(setq jsonrpc-default-request-timeout 60)

(add-to-list 'eglot-server-programs
             '((python-mode python-ts-mode)
               . ("tracelens-lsp" :initializationOptions
                  (:inlayHints "hot"              ; "off", "hot" or "all"
                   :documentSymbols "all"         ; imenu has no other source in this buffer
                   :diagnostics (:enabled t)))))

;; Where there is no version control, the index says where the project begins (Emacs 29 or newer).
(with-eval-after-load 'project
  (when (boundp 'project-vc-extra-root-markers)
    (add-to-list 'project-vc-extra-root-markers ".tracelens")))

(provide 'tracelens)
;;; tracelens.el ends here
