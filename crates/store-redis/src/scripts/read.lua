-- Reads a board and takes down what has outlived its life.
--
-- board.
-- Answers the entries: [key, value].

local board = prefix .. 'board:' .. argument.board
local posted, entries = redis.call('HGETALL', board), {}
for place = 1, #posted, 2 do
  local life, value = posted[place + 1]:match('^(%d+) (.*)$')
  life = tonumber(life)
  if life > 0 and life <= now then
    redis.call('HDEL', board, posted[place])
  else
    entries[#entries + 1] = { posted[place], value }
  end
end
return answer(entries)
