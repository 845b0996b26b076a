-- Dead letters, for the scripts that read or take them away.
--
-- `buried` has the key of each by the moment it was written, `letters` the letter by its key: a MessagePack map of v
-- (verification), t (tenant), p (provider), a (attempt), j (job), w (reason), d (detail) and s (moment). The record of a
-- buried verification has the field `z`.

-- Takes a letter away. One that is in only one of the two goes from there, so that whoever makes room by taking letters
-- away gets on.
local function take_letter(key)
  local letter = redis.call('HGET', prefix .. 'letters', key)
  redis.call('HDEL', prefix .. 'letters', key)
  redis.call('ZREM', prefix .. 'buried', key)
  return letter and cmsgpack.unpack(letter) or nil
end
