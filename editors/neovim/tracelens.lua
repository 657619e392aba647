-- TraceLens in Neovim 0.10 or newer, beside whatever other Python server runs. Put this file into
-- ~/.config/nvim/plugin/, with `tracelens-lsp` on PATH (or its absolute path in `cmd`).
vim.api.nvim_create_autocmd('FileType', {
  pattern = 'python',
  callback = function(event)
    vim.lsp.start({
      name = 'tracelens',
      cmd = { 'tracelens-lsp' },
      root_dir = vim.fs.root(event.buf, { '.tracelens', 'pyproject.toml', '.git' }),
      init_options = {
        inlayHints = 'hot', -- 'off', 'hot' or 'all'
        codeLens = { enabled = true },
        diagnostics = { enabled = true },
      },
    })
  end,
})

vim.api.nvim_create_autocmd('LspAttach', {
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == 'tracelens' then
      vim.lsp.inlay_hint.enable(true, { bufnr = event.buf })
      -- Neovim shows code lenses only when it is asked to.
      vim.api.nvim_create_autocmd({ 'BufEnter', 'BufWritePost' }, {
        buffer = event.buf,
        callback = function() vim.lsp.codelens.refresh({ bufnr = event.buf }) end,
      })
    end
  end,
})
