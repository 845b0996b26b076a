-- Answers the records whose instant has come, earliest first, and hides each from other schedulers. Those that cannot be
-- read are buried instead.
--
-- max, hide (milliseconds), keys (ids of the sealing keys that the caller has).
-- keep: ended, events, dead.
-- Answers [the records, the letters]. A timer without a record goes. Letters that nobody decides on go as well, a few in
-- each call.

local DISCARDED_AT_ONCE = 16

local outlived = now - argument.keep.dead
for _, key in ipairs(redis.call('ZRANGE', prefix .. 'buried', '-inf', outlived, 'BYSCORE', 'LIMIT', 0, DISCARDED_AT_ONCE)) do
  discard(key)
end

local found = {}

local function look(id)
  local fields = kept(id)
  if not fields.r then return set_timer(id, nil) end
  local ok, record = pcall(unpacked, fields.r)
  if not ok then
    bury(id, { v = id, w = 'record_unreadable', d = why_of(record) })
    return set_timer(id, nil)
  end
  -- What is sealed is not needed to end one whose time is over.
  local is_expired = not record.e and now >= record.c + record.x
  local why = not is_expired and (locked(fields.b) or locked(fields.c))
  if why then return put_aside(id, record, 'seal_unopened', why) end
  set_timer(id, now + argument.hide)
  found[#found + 1] = fields
end

local ids = redis.call('ZRANGE', prefix .. 'timers', '-inf', now, 'BYSCORE', 'LIMIT', 0, argument.max)
for _, id in ipairs(ids) do look(id) end
return answer({ found, written })
