-- Takes counters of failed checks away, with an event for each.
--
-- counters {scope, subject, classes}, tenant, author, reason.
-- keep: events.
-- Answers those that there were: [class, count, last moment, last verification].

local found = {}
for _, counter in ipairs(read_counters(argument.counters)) do
  if counter.last_in then
    found[#found + 1] = { counter.class, counter.count, counter.last_at, counter.last_in }
    -- Told first: a server that has no room takes no event, and then nothing is lifted that nobody hears of.
    tell({
      'v', counter.last_in, 't', argument.tenant, 'kind', 'checks_lifted', 'channel_class', CLASSES[counter.class],
      'failures', counter.count, 'author', argument.author, 'reason', argument.reason
    })
    redis.call('DEL', counter.key)
  end
end
return answer(found)
