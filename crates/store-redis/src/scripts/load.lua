-- Reads records.
--
-- ids.
-- Answers per id the record, or one without `r` if there is none.

local found = {}
for place, id in ipairs(argument.ids) do
  found[place] = kept(id)
end
return answer(found)
