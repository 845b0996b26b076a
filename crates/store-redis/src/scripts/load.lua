-- Reads records.
--
-- ids.
-- Answers per id the record, or one without `r` if there is none.

local found = {}
for place, id in ipairs(argument.ids) do
  found[place] = kept(id, redis.call('HMGET', prefix .. 'v:' .. id, 'r', 'b', 'c'))
  found[place].r = found[place].r or nil
end
return answer(found)
