;;; tracelens.el --- TraceLens through Eglot  -*- lexical-binding: t; -*-
;; Load this file from your init file, with `tracelens-lsp' on PATH, and say M-x eglot in a Python buffer.
;; Eglot talks to one server per buffer: this one takes the place of another Python server.
;; Eglot shows no code lenses; the same is in hover (M-x eldoc), inlay hints, Flymake and M-x eglot-code-actions.

(require 'eglot)

(add-to-list 'eglot-server-programs
             '((python-mode python-ts-mode)
               . ("tracelens-lsp" :initializationOptions
                  (:inlayHints "hot"              ; "off", "hot" or "all"
                   :diagnostics (:enabled t)))))

(provide 'tracelens)
;;; tracelens.el ends here
