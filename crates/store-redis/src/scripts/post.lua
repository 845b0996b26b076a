-- Puts an entry on a board; with `once` only if there is none of its key.
--
-- board, key, value, life (milliseconds; none: it stays), once.
-- Answers the entry that is on the board then.

local board = prefix .. 'board:' .. argument.board
local entry = (argument.life and now + argument.life or 0) .. ' ' .. argument.value
if not argument.once then
  redis.call('HSET', board, argument.key, entry)
elseif redis.call('HSETNX', board, argument.key, entry) == 0 then
  entry = redis.call('HGET', board, argument.key)
end
return answer(entry:match('^%d+ (.*)$'))
