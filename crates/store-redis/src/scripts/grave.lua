-- Burying and discarding, for the scripts that do; needs letters.lua.
--
-- keep: ended, events.

-- Why a verification ran out of time, as the domain's ExpiryReason says: how far the message that came furthest had come.
local REACHED = { 'not_sent', 'undelivered', 'maybe_sent', 'unconfirmed', 'not_entered' }

local function why_expired(record)
  local furthest = 1
  for _, attempt in ipairs(record.a) do
    local rank, phase, reached = attempt.r and attempt.r.r, attempt.f, 1
    if rank and rank >= 4 then
      reached = 5
    elseif rank and rank >= 2 then
      reached = 2
    elseif rank or phase.a then
      reached = 4
    elseif phase.c or phase.m then
      reached = 3
    end
    furthest = math.max(furthest, reached)
  end
  return REACHED[furthest]
end

-- Ends a verification if it has not ended, and leaves nothing sealed of it. Answers with its record as it is kept and how it
-- ended, if it did not before.
local function erase(id)
  local key = prefix .. 'v:' .. id
  local ok, record = pcall(read, id)
  if not ok then
    redis.call('DEL', key)
    set_timer(id, nil)
    return nil
  end
  if not record or (record.e and redis.call('HEXISTS', key, 'b') == 0) then return nil end
  local event, how
  if not record.e then
    how = now >= record.c + record.x and 'expired' or 'failed'
    event = { 'v', id, 't', record.t, 'kind', 'ended', 'how', how }
    if how == 'expired' then
      event[#event + 1] = 'because'
      event[#event + 1] = why_expired(record)
    end
    record.e = { h = how, t = now - record.c }
    record.d = {}
  end
  for _, attempt in ipairs(record.a) do
    if attempt.k == 'w' then attempt.k = 's' end
  end
  record.v = record.v + 1
  record.z = nil
  local packed = write(id, record)
  redis.call('HDEL', key, 'b', 'c')
  redis.call('PEXPIRE', key, argument.keep.ended, 'NX')
  set_timer(id, nil)
  if not how then return nil end
  tell(event)
  return { { id = id, r = packed }, how }
end

local function discard(key)
  local letter = take_letter(key)
  if not letter then return false end
  return true, letter.v and erase(letter.v)
end

-- The letters that were written in this call, for people to be told.
local written = {}

-- Writes a letter; one of the same key keeps its moment.
local function bury(key, letter)
  local buried = prefix .. 'buried'
  letter.s = tonumber(redis.call('ZSCORE', buried, key) or nil)
  if not letter.s then
    while redis.call('ZCARD', buried) >= DEAD_LETTERS do
      discard(redis.call('ZRANGE', buried, 0, 0)[1])
    end
    letter.s = now
    redis.call('ZADD', buried, now, key)
  end
  redis.call('HSET', prefix .. 'letters', key, cmsgpack.pack(letter))
  written[#written + 1] = { key, letter }
end

-- What is wrong with a record that could not be read, from the error of the try.
local function why_of(problem)
  return type(problem) == 'table' and problem.why or 'its readable part is damaged'
end

-- Why the caller cannot open what is sealed; nothing if it has the key.
local function locked(sealed)
  if not sealed then return nil end
  local format, key = sealed:byte(1, 2)
  if format ~= FORMAT or not key then return 'its sealed part has an unknown format' end
  for _, known in ipairs(argument.keys) do
    if known == key then return nil end
  end
  return 'it is sealed with key ' .. key .. ', which is not configured'
end

-- Buries a verification that can be read. Until its end nobody looks at it; then it ends as expired.
local function put_aside(id, record, reason, detail)
  local current = record.a[#record.a]
  bury(id, {
    v = id, t = record.t, p = current and current.p, a = current and current.n, w = reason, d = detail,
  })
  record.z = true
  write(id, record)
  local ends_at = record.c + record.x
  set_timer(id, not record.e and now < ends_at and ends_at or nil)
end
