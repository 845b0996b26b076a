-- Creates or changes verifications, each with everything that follows from it.
--
-- items: id, version (expected; none creates), nonce, r, b, c (the fields to keep), checks, ranks (of receipts, by attempt,
--        0 for none), claims (the attempts that stay claimed), is_over (it has ended and its private part is gone),
--        is_pending, due, request {scope, id, value}, limits {key, rules
--        [max, window]}, jobs [lane, attempt, job], events [fields], outcomes [segment, measure, moment],
--        refs [key, value, life], at_stake {counters {scope, subject, classes}, by}.
-- keep:  ended, events, requests, evidence.
-- Answers per item: `done`, `conflict`, `reused`, { repeated = value }, { limited = [rule, milliseconds] } or
--        { shut = [class, milliseconds, or -1 for a lock] of each }.

-- Wrong checks, receipts and renewed leases are booked by scripts of their own and leave the version as it is, so that they
-- are no conflict for a commit that was decided before. It must not take them back either.
local function takes_back(record, item)
  if item.checks < record.k or #item.claims > 0 then return true end
  for place, attempt in ipairs(record.a) do
    if attempt.r and (item.ranks[place] or 0) < attempt.r.r then return true end
  end
  return false
end

-- A lease that was renewed since keeps its later end, and the timer moves along if it is the lease's.
local function keep_lease(stored, next, number, item)
  local renewed, claim = stored and stored.f.c, next.a[number].f.c
  if not renewed or not claim or renewed.b ~= claim.b or claim.l >= renewed.l then return end
  local last = next.e and math.huge or next.x
  if item.due == next.c + math.min(claim.l, last) then item.due = next.c + math.min(renewed.l, last) end
  claim.l = renewed.l
end

local function keep_progress(record, item)
  local next = cmsgpack.unpack(item.r)
  next.k = math.max(next.k, record.k)
  for _, number in ipairs(item.claims) do keep_lease(record.a[number], next, number, item) end
  for place, attempt in ipairs(record.a) do
    if next.a[place] and attempt.r and (item.ranks[place] or 0) < attempt.r.r then
      next.a[place].r = attempt.r
    end
  end
  item.r = cmsgpack.pack(next)
end

-- The moments of the latest sends, oldest first, and until when they matter.
local function recent_sends(limits)
  local packed = redis.call('GET', prefix .. 'limit:' .. limits.key)
  if not packed then return { till = now } end
  local sends = cmsgpack.unpack(packed)
  sends.till = table.remove(sends)
  return sends
end

-- The rule that makes the caller wait longest, and how long: until the `max`-th latest send has left the window.
local function refusal(sends, rules)
  local worst
  for place, rule in ipairs(rules) do
    local max, window = math.max(rule[1], 1), rule[2]
    local last_to_leave = sends[#sends - max + 1]
    local wait = last_to_leave and last_to_leave + window - now or 0
    if wait > (worst and worst[2] or 0) then worst = { place - 1, wait } end
  end
  return worst
end

-- Another commit may ask by other rules, so neither its sends nor its windows are cut short.
local function count_send(limits, sends)
  local most, till = SENDS_KEPT, sends.till
  for _, rule in ipairs(limits.rules) do
    most, till = math.max(most, rule[1]), math.max(till, now + rule[2])
  end
  local recent = {}
  for place = math.max(1, #sends - most + 2), #sends do
    recent[#recent + 1] = sends[place]
  end
  recent[#recent + 1] = now
  recent[#recent + 1] = till
  redis.call('SET', prefix .. 'limit:' .. limits.key, cmsgpack.pack(recent), 'PXAT', till)
end

-- The classes whose codes could not be checked in time, as `decision::check::shut` finds them.
local function shut_classes(stake, id)
  local found = {}
  for _, counter in ipairs(read_counters(stake.counters)) do
    local wait = waiting(counter, id)
    if wait and (wait == -1 or now + wait > stake.by) then found[#found + 1] = { counter.class, wait } end
  end
  return #found > 0 and found
end

local function keep_record(item)
  local key = prefix .. 'v:' .. item.id
  if item.c then
    redis.call('HSET', key, 'r', item.r, 'b', item.b, 'c', item.c)
  elseif item.b then
    redis.call('HSET', key, 'r', item.r, 'b', item.b)
    if item.version then redis.call('HDEL', key, 'c') end
  else
    redis.call('HSET', key, 'r', item.r)
    -- A pending one was decided on without what is sealed, so that is none of its business.
    if item.version and not item.is_pending then redis.call('HDEL', key, 'b', 'c') end
  end
  if item.is_over then redis.call('PEXPIRE', key, argument.keep.ended, 'NX') end
end

local function carry_out(item)
  set_timer(item.id, item.due)
  for _, job in ipairs(item.jobs) do dispatch(job[1], item.id, job[2], job[3]) end
  for _, fields in ipairs(item.events) do tell(fields) end
  for _, outcome in ipairs(item.outcomes) do observe(outcome[1], outcome[2], outcome[3]) end
  for _, ref in ipairs(item.refs) do
    redis.call('SET', prefix .. 'ref:' .. ref[1], ref[2], 'PX', ref[3])
  end
end

return each(function(item)
  local record = read(item.id)
  local fits = (record and record.v) == item.version
  if not fits and record and record.n == item.nonce then return 'done' end
  local before = item.request and repeated(item.request)
  if before then return before end
  if not fits then return 'conflict' end
  local sends = item.limits and recent_sends(item.limits)
  local limited = sends and refusal(sends, item.limits.rules)
  if limited then return { limited = limited } end
  local shut = item.at_stake and shut_classes(item.at_stake, item.id)
  if shut then return { shut = shut } end
  if record and takes_back(record, item) then keep_progress(record, item) end

  writing = true
  keep_record(item)
  -- Somebody could work on it after all.
  if record and record.z and item.is_pending then take_letter(item.id) end
  if item.request then
    redis.call('SET', request_key(item.request), item.request.value, 'PX', argument.keep.requests)
  end
  if sends then count_send(item.limits, sends) end
  carry_out(item)
  return 'done'
end)
