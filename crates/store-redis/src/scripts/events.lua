-- Reads events after a position.
--
-- after (none: only says where the end is), max; keep: events.
-- Answers events [id, fields], next and too_old: events after the position have been forgotten, or it is not one.

local function parts(id)
  local millis, place = id:match('^(%d+)-(%d+)$')
  return tonumber(millis), tonumber(place)
end

local function is_before(one, other)
  local one_millis, one_place = parts(one)
  local other_millis, other_place = parts(other)
  return one_millis < other_millis or (one_millis == other_millis and one_place < other_place)
end

local function found(events, next)
  return answer({ events = events, next = next, too_old = false })
end

local function too_old()
  return answer({ events = {}, next = '', too_old = true })
end

local events, after = prefix .. 'events', argument.after
local forgotten = redis.call('GET', prefix .. 'forgotten') or '0-0'
local newest = redis.call('XREVRANGE', events, '+', '-', 'COUNT', 1)
local last = newest[1] and newest[1][1] or forgotten
if not after then return found({}, last) end
if not parts(after) or is_before(after, forgotten) or is_before(last, after) then return too_old() end
local some = redis.call('XRANGE', events, '(' .. after, '+', 'COUNT', argument.max)
if #some == 0 then return found({}, after) end
-- What has outlived its retention reads as forgotten, whether or not it has been.
if parts(some[1][1]) + argument.keep.events <= server_now then return too_old() end
return found(some, some[#some][1])
