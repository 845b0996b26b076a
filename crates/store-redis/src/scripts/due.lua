-- Answers the records whose instant has come, earliest first, and hides each from other schedulers.
--
-- max, hide (milliseconds).
-- Answers the records. A timer without a record goes.

local found = {}
local ids = redis.call('ZRANGE', prefix .. 'timers', '-inf', now, 'BYSCORE', 'LIMIT', 0, argument.max)
for _, id in ipairs(ids) do
  local record = kept(id)
  if record.r then
    set_timer(id, now + argument.hide)
    found[#found + 1] = record
  else
    set_timer(id, nil)
  end
end
return answer(found)
