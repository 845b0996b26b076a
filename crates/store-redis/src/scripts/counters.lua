-- Reads counters of failed checks.
--
-- scope, subject, classes.
-- Answers those that there are: [class, count, last moment, last verification].

local found = {}
for _, counter in ipairs(read_counters(argument)) do
  if counter.last_in then
    found[#found + 1] = { counter.class, counter.count, counter.last_at, counter.last_in }
  end
end
return answer(found)
