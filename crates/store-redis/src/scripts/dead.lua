-- Reads dead letters, oldest first.
--
-- after [moment, key] (none: from the oldest), max; or key: only this one.
-- Answers [[key, letter], ...] and how many there are. A key without its letter is struck off on the way, so that it is no
-- hole in what somebody turns the pages of.

local buried = prefix .. 'buried'
local found = {}

local function add(key)
  local letter = redis.call('HGET', prefix .. 'letters', key)
  if letter then found[#found + 1] = { key, cmsgpack.unpack(letter) } end
  return letter
end

if argument.key then
  add(argument.key)
else
  local place = 0
  if argument.after then
    -- Keys of one moment come in the order of their texts.
    local moment, key = argument.after[1], argument.after[2]
    place = redis.call('ZCOUNT', buried, '-inf', '(' .. moment)
    for _, same in ipairs(redis.call('ZRANGE', buried, moment, moment, 'BYSCORE')) do
      if same > key then break end
      place = place + 1
    end
  end
  while #found < argument.max do
    local from = place + #found
    local keys = redis.call('ZRANGE', buried, from, from + argument.max - #found - 1)
    if #keys == 0 then break end
    for _, key in ipairs(keys) do
      if not add(key) then redis.call('ZREM', buried, key) end
    end
  end
end
return answer({ found, redis.call('ZCARD', buried) })
