-- Reads the cells of evidence that changed at or after a moment.
--
-- since; keep: evidence.
-- Answers the cells: [bucket:segment, [measure, count, ...]].

local changes = prefix .. 'evs'
-- A cell that has not changed for as long as cells are kept has expired.
redis.call('ZREMRANGEBYSCORE', changes, '-inf', '(' .. (now - argument.keep.evidence))
local found = {}
for _, cell in ipairs(redis.call('ZRANGE', changes, argument.since, '+inf', 'BYSCORE')) do
  local counts = redis.call('HGETALL', prefix .. 'ev:' .. cell)
  if #counts > 0 then found[#found + 1] = { cell, counts } end
end
return answer(found)
