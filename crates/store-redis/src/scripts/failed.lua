-- Counters of failed checks, for the scripts that ask for them (SEC-05).
--
-- `fail:<tenant>:<recipient>:<subject>:<class>` has the count, the last moment and the last verification.

local CLASSES = { p = 'pstn', a = 'app' }
local FAILURES_BEFORE_WAIT, FAILURES_BEFORE_LOCK = 5, 100
local FIRST_WAIT, LONGEST_WAIT = 30000, 3600000

-- The counters that are asked for, in the order of the classes: class and key, and count, last moment and last verification
-- if there is one. `asked` is { scope (tenant and recipient), subject, classes }.
local function read_counters(asked)
  local account = asked.subject and redis.sha1hex(asked.subject):sub(1, 20) or '-'
  local counters = {}
  for place, class in ipairs(asked.classes) do
    local key = prefix .. 'fail:' .. asked.scope .. ':' .. account .. ':' .. CLASSES[class]
    local count, last_at, last_in = (redis.call('GET', key) or ''):match('^(%d+) (%d+) (%S+)$')
    counters[place] = {
      class = class, key = key, count = tonumber(count) or 0, last_at = tonumber(last_at), last_in = last_in
    }
  end
  return counters
end

-- How long one counter makes a check of this verification wait; -1 for a lock, nothing for not at all.
local function waiting(counter, id)
  if counter.count >= FAILURES_BEFORE_LOCK then return -1 end
  if counter.count < FAILURES_BEFORE_WAIT or counter.last_in == id then return nil end
  local wait = math.min(FIRST_WAIT * 2 ^ (counter.count - FAILURES_BEFORE_WAIT), LONGEST_WAIT)
  local left = counter.last_at + wait - now
  return left > 0 and left or nil
end
