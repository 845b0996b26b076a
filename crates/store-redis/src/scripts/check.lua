-- Judges submitted codes, as `decision::check::judge` does (SEC-02 to SEC-05, SEC-08, SEC-09).
--
-- items: id, tenant, digests [key, digest], request_id.
-- keep:  ended, events, evidence, failed.
-- Answers per item { judged = { verdict, record } }, the record unless it is unknown; the verdict is
--        { verified = [by or 0, repeated] }, { wrong = remaining }, { ended = [how, by or 0] },
--        { waiting = milliseconds, or -1 for a lock }, `unknown`.
--
-- The version stays until a check ends the verification: a wrong check is no conflict for a commit that was decided
-- before it. The winner's request_id is a field of its own, `w`, which no commit writes.

-- Looks at every byte whether or not one differed before.
local function equal(one, other)
  if #one ~= #other then return false end
  local difference = 0
  for place = 1, #one do
    difference = bit.bor(difference, bit.bxor(one:byte(place), other:byte(place)))
  end
  return difference == 0
end

-- The valid code that was entered, the oldest if several are equal; every digest is compared with every live slot of
-- its key, whether or not one has matched before.
local function matching_slot(record, item, elapsed)
  local found
  for _, slot in ipairs(record.d) do
    if slot.u > elapsed then
      local is_equal = false
      for _, presented in ipairs(item.digests) do
        if presented[1] == slot.k and equal(presented[2], slot.d) then is_equal = true end
      end
      if is_equal and not found then found = slot end
    end
  end
  return found
end

local function live_classes(record, elapsed)
  local classes = {}
  for _, class in ipairs({ 'p', 'a' }) do
    for _, slot in ipairs(record.d) do
      if slot.c == class and slot.u > elapsed then
        classes[#classes + 1] = class
        break
      end
    end
  end
  return classes
end

-- Whether this repeats the check that won.
local function is_winner(item)
  return item.request_id and redis.call('HGET', prefix .. 'v:' .. item.id, 'w') == item.request_id
end

-- The answer to a check that is not even counted.
local function refusal(record, counters, item, elapsed)
  local ended = record.e or (elapsed >= record.x and { h = 'expired' })
  if ended then
    if ended.h == 'verified' and is_winner(item) then return { verified = { ended.b or 0, true } } end
    return { ended = { ended.h, ended.b or 0 } }
  end
  if record.k >= record.l then return { ended = { 'exhausted', 0 } } end
  local longest
  for _, counter in ipairs(counters) do
    local wait = waiting(counter, item.id)
    if wait == -1 then return { waiting = -1 } end
    if wait then longest = math.max(longest or 0, wait) end
  end
  return longest and { waiting = longest }
end

-- Whether a vendor's message has to be taken back, for which the number is still needed.
local function needs_tidying(record)
  for _, attempt in ipairs(record.a) do
    if attempt.k == 'w' then return true end
    local may_arrive = attempt.f.c or attempt.f.a or attempt.f.m
    local arrived = attempt.r and attempt.r.r >= 4
    if attempt.k == 'p' and may_arrive and not arrived and record.e.b ~= attempt.n then return true end
  end
  return false
end

local function finish(record, how, by, elapsed)
  record.e = { h = how, b = by, t = elapsed }
  record.d = {}
  record.v = record.v + 1
  return needs_tidying(record)
end

-- The terminal write: neither code nor digest survives it, and the number only while it is needed. Of a claim somebody must
-- find out if its worker is gone.
local function erase(id, record, tidying)
  local key = prefix .. 'v:' .. id
  if tidying then
    redis.call('HDEL', key, 'c')
    set_timer(id, now)
  else
    redis.call('HDEL', key, 'b', 'c')
    redis.call('PEXPIRE', key, argument.keep.ended, 'NX')
    local last = record.a[#record.a]
    local claim = last and last.f.c
    set_timer(id, claim and record.c + claim.l)
  end
end

-- The only one of these attempts, if there is but one.
local function only(attempts)
  return #attempts == 1 and attempts[1] or nil
end

-- The attempts that may have arrived, and those of them that are counted as sent.
local function carriers(record)
  local arrived, sent = {}, {}
  for _, attempt in ipairs(record.a) do
    if attempt.f.a or attempt.f.m then sent[#sent + 1] = attempt end
    if attempt.f.a or attempt.f.m or attempt.f.c or attempt.r then arrived[#arrived + 1] = attempt end
  end
  return arrived, sent
end

-- Who worked, and what that counts: the attempt that the code names, or the only one that can have carried it. If nobody
-- can be credited, all that were sent have been taken out of conversion, but for one whose code went on with an attempt that
-- is being sent at this moment (RTE-04).
local function credit(record, slot, elapsed)
  local arrived, sent = carriers(record)
  local by = slot.a
  if not by then
    local lone = only(record.a) or only(arrived)
    by = lone and lone.n
  end
  if not by then return nil, only(sent), 'n' end
  local found = record.a[by]
  return by, found, found and 'v:' .. latency_bin(elapsed - (found.l or found.q))
end

local function succeed(item, record, counters, slot, elapsed)
  local by, counted, measure = credit(record, slot, elapsed)
  local tidying = finish(record, 'verified', by, elapsed)
  local segment = counted and segment_of(record, counted)

  writing = true
  if item.request_id then redis.call('HSET', prefix .. 'v:' .. item.id, 'w', item.request_id) end
  local packed = write(item.id, record)
  erase(item.id, record, tidying)
  for _, counter in ipairs(counters) do redis.call('DEL', counter.key) end
  if counted then observe(segment, measure, record.c + (counted.l or counted.q)) end
  local event = { 'v', item.id, 't', record.t, 'kind', 'ended', 'how', 'verified' }
  if by then
    event[#event + 1] = 'by'
    event[#event + 1] = by
  end
  tell(event)
  return { verified = { by or 0, false } }, packed
end

local function fail(item, record, counters, elapsed)
  local remaining = math.max(record.l - record.k, 0)
  local tidying = remaining == 0 and finish(record, 'exhausted', nil, elapsed)

  writing = true
  local packed = write(item.id, record)
  for _, counter in ipairs(counters) do
    local count = math.min(counter.count + 1, 65535)
    redis.call('SET', counter.key, count .. ' ' .. now .. ' ' .. item.id, 'PX', argument.keep.failed)
  end
  tell({ 'v', item.id, 't', record.t, 'kind', 'check_failed', 'remaining', remaining })
  if remaining == 0 then
    erase(item.id, record, tidying)
    tell({ 'v', item.id, 't', record.t, 'kind', 'ended', 'how', 'exhausted' })
  end
  return { wrong = remaining }, packed
end

return each(function(item)
  local record, packed = read(item.id)
  if not record or record.t ~= item.tenant then return { judged = { verdict = 'unknown' } } end
  local elapsed = now - record.c
  local counters = read_counters({
    scope = record.t .. ':' .. record.r, subject = record.u, classes = live_classes(record, elapsed)
  })
  local verdict = refusal(record, counters, item, elapsed)
  if not verdict then
    local slot = matching_slot(record, item, elapsed)
    record.k = math.min(record.k + 1, 255)
    if slot then
      verdict, packed = succeed(item, record, counters, slot, elapsed)
    else
      verdict, packed = fail(item, record, counters, elapsed)
    end
  end
  return { judged = { verdict = verdict, record = { id = item.id, r = packed } } }
end)
