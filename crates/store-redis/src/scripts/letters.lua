-- Dead letters, for the scripts that read or take them away.
--
-- `buried` has the key of each by the moment it was written, `letters` the letter by its key: a MessagePack map of v
-- (verification), t (tenant), p (provider), a (attempt), j (job), w (reason), d (detail) and s (moment). The record of a
-- buried verification has the field `z`.

local function take_letter(key)
  local letter = redis.call('HGET', prefix .. 'letters', key)
  if not letter then return nil end
  redis.call('HDEL', prefix .. 'letters', key)
  redis.call('ZREM', prefix .. 'buried', key)
  return cmsgpack.unpack(letter)
end
