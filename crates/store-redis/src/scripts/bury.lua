-- Buries verifications.
--
-- items: id, reason, detail.
-- keep:  ended, events.
-- Answers [per item `buried` or `nothing`, the letters].

local outcomes = {}
for place, item in ipairs(argument.items) do
  local key = prefix .. 'v:' .. item.id
  local fields = redis.call('HMGET', key, 'r', 'b')
  outcomes[place] = 'nothing'
  if fields[1] then
    local ok, record = pcall(unpacked, fields[1])
    if not ok then
      bury(item.id, { v = item.id, w = item.reason, d = item.detail })
      set_timer(item.id, nil)
      outcomes[place] = 'buried'
    elseif not record.e or fields[2] then
      put_aside(item.id, record, item.reason, item.detail)
      outcomes[place] = 'buried'
    end
  end
end
return answer({ outcomes, written })
