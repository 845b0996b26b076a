-- Reads dead letters, oldest first.
--
-- after [moment, key] (none: from the oldest), max; or key: only this one.
-- Answers [[key, letter], ...] and how many there are.

local buried = prefix .. 'buried'
local found = {}

local function add(key)
  local letter = redis.call('HGET', prefix .. 'letters', key)
  if letter then found[#found + 1] = { key, cmsgpack.unpack(letter) } end
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
  if argument.max > 0 then
    for _, key in ipairs(redis.call('ZRANGE', buried, place, place + argument.max - 1)) do add(key) end
  end
end
return answer({ found, redis.call('ZCARD', buried) })
