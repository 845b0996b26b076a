-- What every script begins with; it is put before each script's own text.
--
-- KEYS[1]  the partition's prefix, `<prefix>:{pNN}:`. Every key of a script is this prefix and a suffix. All of them
--          share its hash tag and so live in one slot of a cluster, although only the prefix is listed.
-- KEYS[2]  another name in that slot, so that a server that has only a part of the slot runs nothing; it is never read.
-- ARGV[1]  the argument, one MessagePack map; each script says what is in it. `keep` holds retentions in milliseconds.
-- ARGV[2]  how wakes are published: PUBLISH, or SPUBLISH in a cluster.
-- ARGV[3]  `confirmed` if the caller waits for replicas afterwards: then every call writes, if only the clock. WAIT speaks of
--          the last write of its connection, and there are servers (Valkey, Redis from 7.2 on) for which a call that wrote
--          nothing is none: they would say at once that replicas have it, whatever was found written before.
--
-- The bounds that are named in capitals and set nowhere here are those of the store's bounds.rs; they are put in front.
--
-- A script answers one MessagePack array: the server's clock in milliseconds, and the answer. A script that takes
-- `items` answers with one verdict each, in order. Of each item everything is read and compared before the first write;
-- an item whose record cannot be read gets the verdict `unreadable`, changes nothing, and leaves the others alone.

local prefix = KEYS[1]
local argument = cmsgpack.unpack(ARGV[1])

-- The server's clock, which may be set back at any moment, and the store's, which then goes on where it was: `clock` holds how
-- far the store's is ahead and when that was noted, by the server's. It is noted once a second, so that is the most that the
-- store's clock goes back by. What it is ahead it loses again, 10 ms in a second.
local NOTED, LOST = 1000, 100
local note = redis.call('GET', prefix .. 'clock') or ''
local is_note_written = false
local server_now, now
do
  local time = redis.call('TIME')
  server_now = time[1] * 1000 + math.floor(time[2] / 1000)
  local ahead, noted = note:match('^(%d+) (%d+)$')
  ahead, noted = tonumber(ahead) or 0, tonumber(noted) or 0
  local passed = server_now - noted
  if passed < 0 then
    ahead = ahead - passed
  else
    ahead = math.max(ahead - math.floor(passed / LOST), 0)
  end
  if passed < 0 or passed >= NOTED then
    note = ahead .. ' ' .. server_now
    -- A server that takes no writes still tells the time.
    is_note_written = not redis.pcall('SET', prefix .. 'clock', note).err
  end
  now = server_now + ahead
end

-- Writes something, and so ends the call here, before it did anything, if the server takes no writes. As the clock was noted
-- last, so that how far it is ahead wears off as slowly as ever: a write goes to replicas also if it changes nothing.
local function insist_on_writing()
  if is_note_written then return end
  redis.call('SET', prefix .. 'clock', note)
  is_note_written = true
end
if ARGV[3] == 'confirmed' then insist_on_writing() end

local BINS = { 1, 2, 3, 5, 8, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600 }
local CHANNELS = { s = 'sms', w = 'whatsapp', r = 'rcs', v = 'voice' }

local writing = false
local woken = {}

-- A wake that is refused is made up for by those who look now and then; what has been written is not to end as an error.
local function answer(value)
  for channel in pairs(woken) do
    redis.pcall(ARGV[2], prefix .. 'wake', channel)
  end
  return cmsgpack.pack({ now, value })
end

-- The answer of the whole call when the server refuses a write: what it said, its code first.
local function failed(problem)
  local text = type(problem) == 'table' and problem.err or tostring(problem)
  return redis.error_reply(text:match('^%u+ ') and text or 'ERR ' .. text)
end

local function each(judge)
  local verdicts = {}
  for place, item in ipairs(argument.items) do
    writing = false
    local ok, verdict = pcall(judge, item)
    if not ok then
      if writing then return failed(verdict) end
      verdict = 'unreadable'
    end
    verdicts[place] = verdict
  end
  return answer(verdicts)
end

-- The readable part of a record as it is kept, unpacked. Moments inside it are milliseconds since `record.c`, its creation;
-- the letters are those of layout.rs. An error that is a table says in `why` what is wrong.
local function unpacked(packed)
  local ok, record = pcall(cmsgpack.unpack, packed)
  if not ok or type(record) ~= 'table' then error({ why = 'its readable part is damaged' }) end
  if record.f ~= FORMAT then
    error({ why = 'its format is ' .. tostring(record.f) .. ', this process reads up to ' .. FORMAT })
  end
  return record
end

-- The readable part of a verification's record, and the same as it is kept.
local function read(id)
  local packed = redis.call('HGET', prefix .. 'v:' .. id, 'r')
  if not packed then return nil end
  return unpacked(packed), packed
end

-- Writes the readable part back and answers with it as it is kept now.
local function write(id, record)
  local packed = cmsgpack.pack(record)
  redis.call('HSET', prefix .. 'v:' .. id, 'r', packed)
  return packed
end

-- A record as it is answered, with what is sealed in it.
local function kept(id)
  local fields = redis.call('HMGET', prefix .. 'v:' .. id, 'r', 'b', 'c')
  return { id = id, r = fields[1] or nil, b = fields[2] or nil, c = fields[3] or nil }
end

local function set_timer(id, moment)
  if moment then
    redis.call('ZADD', prefix .. 'timers', moment, id)
  else
    redis.call('ZREM', prefix .. 'timers', id)
  end
end

-- A pointer older than any code goes for each that comes, and another one with it, so that a lane that nobody works on does
-- not grow for ever.
local function dispatch(lane, id, attempt, job)
  local key = prefix .. 'lane:' .. lane
  for _ = 1, 2 do
    local head = redis.call('LINDEX', key, 0)
    local queued = head and tonumber(string.match(head, '(%d+)$'))
    if not queued or queued >= now - OUTLIVED then break end
    redis.call('LPOP', key)
  end
  redis.call('RPUSH', key, id .. ' ' .. attempt .. ' ' .. job .. ' ' .. now)
  woken[lane] = true
end

-- Old events go once those of a sixtieth of the retention can: so most calls only look. The id of the last one that went
-- is kept, so that a reader who has not seen it can be told.
local function forget_events()
  -- The ids of events are moments of the server's clock.
  local events, horizon = prefix .. 'events', server_now - argument.keep.events
  local overdue = '(' .. (horizon - math.floor(argument.keep.events / 60)) .. '-0'
  if #redis.call('XRANGE', events, '-', overdue, 'COUNT', 1) > 0 then
    local last = redis.call('XREVRANGE', events, '(' .. horizon .. '-0', '-', 'COUNT', 1)
    redis.call('SET', prefix .. 'forgotten', last[1][1])
    redis.call('XTRIM', events, 'MINID', '=', horizon)
  end
end

-- Tells one event; `fields` are those of the store's event_record.rs but `at`.
local function tell(fields)
  if not woken[''] then
    forget_events()
    woken[''] = true
  end
  redis.call('XADD', prefix .. 'events', '*', 'at', now, unpack(fields))
end

local function latency_bin(took)
  local bin = 0
  while bin < #BINS and took > BINS[bin + 1] * 1000 do bin = bin + 1 end
  return bin
end

-- Counts one outcome of an attempt that was made at `moment`, in the cell of its bucket and segment. `evs` knows when each
-- cell changed last.
local function observe(segment, measure, moment)
  local bucket = moment - moment % BUCKET
  if bucket + argument.keep.evidence <= now then return end
  local cell = bucket .. ':' .. segment
  if redis.call('HINCRBY', prefix .. 'ev:' .. cell, measure, 1) == 1 then
    redis.call('PEXPIREAT', prefix .. 'ev:' .. cell, bucket + argument.keep.evidence)
  end
  redis.call('ZADD', prefix .. 'evs', now, cell)
end

local function segment_of(record, attempt)
  return attempt.p .. ':' .. CHANNELS[attempt.c] .. ':' .. record.y
end
