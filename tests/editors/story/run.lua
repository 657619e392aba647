-- An error under -S would leave Neovim waiting for a key.
local folder = vim.fs.dirname(debug.getinfo(1, 'S').source:sub(2))
local ok, problem = xpcall(dofile, debug.traceback, folder .. '/story.lua')
if not ok then
  io.stdout:write('FAIL ' .. tostring(problem) .. '\n')
  vim.cmd('cquit! 1')
end
vim.cmd('qa!')
