-- Takes tokens from a bucket, as `decision::limits::take` does.
--
-- key, rate (tokens a second), burst, want.
-- Answers [granted, milliseconds until there is one more, -1 for never].
--
-- A bucket that is not there is full, so it is kept only until it would be.

local key = prefix .. 'bucket:' .. argument.key
local tokens, at = (redis.call('GET', key) or ''):match('^(%S+) (%d+)$')
tokens, at = tonumber(tokens) or argument.burst, tonumber(at) or now
local refilled = math.max(now - at, 0) / 1000 * argument.rate
local held = math.max(math.min(tokens + refilled, argument.burst), 0)
local granted = math.min(argument.want, math.floor(held))
local left = held - granted
local bucket = string.format('%.17g', left) .. ' ' .. math.max(at, now)
if argument.rate > 0 then
  redis.call('SET', key, bucket, 'PX', math.ceil((argument.burst - left) / argument.rate * 1000) + 1000)
else
  redis.call('SET', key, bucket)
end
local wait = 0
if granted < argument.want then
  wait = argument.rate > 0 and math.ceil((1 - left) / argument.rate * 1000) or -1
end
return answer({ granted, wait })
