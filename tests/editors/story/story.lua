-- The story in Neovim: nvim --headless -u NONE -n -S run.lua, with SHOP, BARE, PLUGIN and RECORD in the environment.
local function say(text) io.stdout:write(text .. '\n') end
local function see(what, found)
  local value
  if not vim.wait(60000, function() value = found() return value end, 50) then error('not seen: ' .. what) end
  say('saw ' .. what .. ': ' .. tostring(value))
  return value
end
local buffer
local function place(piece, after)
  for number, line in ipairs(vim.api.nvim_buf_get_lines(buffer, 0, -1, false)) do
    local column = line:find(piece, 1, true)
    if column and number > (after or 0) then return number, column - 1 end
  end
end
local function lens() return (vim.lsp.codelens.get(buffer) or {})[1] end
-- The one at the end of the line; those of the parameters come before it.
local function hint()
  for _, one in ipairs(vim.lsp.inlay_hint.get({ bufnr = buffer }) or {}) do
    if one.inlay_hint.label:match('calls') then return one end
  end
end
local function failure()
  for _, found in ipairs(vim.diagnostic.get(buffer)) do
    if found.source == 'tracelens' and found.code == 'failure' and found.message:find('^ZeroDivisionError') then
      return found
    end
  end
end
local function hover()
  local client = vim.lsp.get_clients({ bufnr = buffer })[1]
  local answer = client.request_sync('textDocument/hover', vim.lsp.util.make_position_params(0, client.offset_encoding), 5000, buffer)
  return answer and answer.result and answer.result.contents.value
end

vim.cmd.source(vim.env.PLUGIN)
vim.cmd.edit(vim.env.SHOP .. '/shop/pricing.py')
vim.bo.filetype = 'python'
buffer = vim.api.nvim_get_current_buf()
see('the server', function() return vim.lsp.get_clients({ bufnr = buffer })[1] and 'attached' end)
vim.lsp.codelens.refresh({ bufnr = buffer })
see('lens', function() return lens() and lens().command and lens().command.title:match('.*failed: ZeroDivisionError.*') end)
see('hint', function() return hint() and hint().inlay_hint.label:match('.*calls.*') end)
local at = see('diagnostic', function() return failure() and failure().message end) and failure().lnum
assert(at + 1 == place('if saving / price'), 'the diagnostic is elsewhere')

local line, column = place('def apply_discount')
vim.api.nvim_win_set_cursor(0, { line, column + 6 })
see('values', function() local text = hover() return text and text:match('`price`[^\n]*') end)

vim.api.nvim_buf_set_lines(buffer, 0, 0, false, { '# one line', '# and another' })
see('the diagnostic move', function() return failure() and failure().lnum == at + 2 and at + 2 end)
see('the hint move', function() return hint() and hint().inlay_hint.position.line == line + 1 and line + 1 end)
vim.cmd.undo()
see('it come back', function() return failure() and failure().lnum == at and at end)

vim.api.nvim_win_set_cursor(0, { at + 1, 8 })
local before = vim.api.nvim_buf_get_changedtick(buffer)
vim.lsp.buf.code_action({ filter = function(a) return a.title:find('^Fix: ZeroDivisionError') end, apply = true })
see('the fix applied', function() return vim.api.nvim_buf_get_changedtick(buffer) ~= before and vim.api.nvim_buf_get_lines(buffer, at, at + 1, false)[1] end)
vim.cmd.write()
local recorded = vim.system({ 'sh', '-c', vim.env.RECORD }, { text = true }):wait()
say('recorded again: ' .. recorded.code)
see('it gone', function() return not failure() and 'no problem' end)

vim.cmd.edit(vim.env.BARE .. '/alone.py')
vim.bo.filetype = 'python'
buffer = vim.api.nvim_get_current_buf()
see('the server', function() return vim.lsp.get_clients({ bufnr = buffer })[1] and 'attached' end)
local told
vim.lsp.handlers['window/showMessage'] = function(_, message) told = message.message end
vim.api.nvim_win_set_cursor(0, { 1, 5 })
vim.lsp.buf.code_action({ filter = function(a) return a.title:find('^Why is nothing shown') end, apply = true })
see('what to do', function() return told and told:match('→ ([^\n]*)') end)
say('PASS')
