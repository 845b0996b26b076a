-- Reads how much waits on lanes.
--
-- lanes.
-- Answers per lane: [pointers, moment of the oldest or 0].

local depths = {}
for place, lane in ipairs(argument.lanes) do
  local key = prefix .. 'lane:' .. lane
  local oldest = redis.call('LINDEX', key, 0)
  depths[place] = { redis.call('LLEN', key), oldest and tonumber(oldest:match('(%d+)$')) or 0 }
end
return answer(depths)
