-- Takes jobs off a lane and begins them.
--
-- lane, worker, lease (milliseconds), max, keys (ids of the sealing keys that the caller has).
-- keep: ended, events.
-- Answers [the jobs: [record, attempt, job], the letters].
--
-- A send job's attempt becomes claimed under a lease in the same step. Pointers that are stale are dropped on the way;
-- one without a record that can be read is buried, and the timer of its verification stays: who can read it goes on without
-- this job. One call drops and buries at most STALE_PER_CLAIM of them, so that a lane full of them does not stop the server.
--
-- A server whose memory is full lets pointers be taken, and whatever follows in the same call; so it is asked first for a
-- write that it refuses then. What would be taken could be sent, and nobody could book what became of it.

-- Claims the attempt. Answers the record as it is kept now.
local function begin(id, record, attempt)
  local elapsed = now - record.c
  local lease_until = elapsed + argument.lease
  attempt.f = { c = { b = argument.worker, l = lease_until } }
  attempt.l = attempt.l or elapsed
  attempt.t = math.min(attempt.t + 1, 255)
  record.v = record.v + 1
  writing = true
  set_timer(id, record.c + math.min(lease_until, record.x))
  return write(id, record)
end

-- Whether the attempt is still to be sent: nobody else has it, it is the current one, and it is not too late.
local function is_sendable(record, number, attempt)
  local is_open = not record.e and now - record.c < math.min(record.s, record.x)
  return is_open and number == #record.a and attempt.f.q
end

local function bury_pointer(pointer, reason, why, record)
  writing = true
  if not pointer.id then
    local key = 'pointer-' .. redis.sha1hex(pointer.text):sub(1, 20)
    return bury(key, { p = argument.lane, w = reason, d = 'its pointer is damaged' })
  end
  bury(pointer.id, {
    v = pointer.id, t = record and record.t, p = argument.lane, a = pointer.number, j = pointer.job,
    w = reason, d = why,
  })
  if record and not record.z then
    record.z = true
    write(pointer.id, record)
  end
end

local function take(pointer)
  local fields = kept(pointer.id)
  if not fields.r then
    -- One that could have ended and been forgotten since is stale.
    if now < pointer.queued + argument.keep.ended then
      bury_pointer(pointer, 'record_missing', 'its record is not in the store')
    end
    return nil
  end
  local record = unpacked(fields.r)
  local attempt = record.a[pointer.number]
  if not attempt or attempt.p ~= argument.lane then return nil end
  local is_send = pointer.job == 'send'
  local is_wanted = attempt.k == 'w'
  if is_send then is_wanted = is_sendable(record, pointer.number, attempt) end
  if not is_wanted then return nil end
  local why = locked(fields.b) or locked(fields.c)
  if why then return bury_pointer(pointer, 'seal_unopened', why, record) end
  if is_send then fields.r = begin(pointer.id, record, attempt) end
  return { fields, pointer.number, pointer.job }
end

local function parse(text)
  local id, number, job, queued = text:match('^(%S+) (%d+) (%a+) (%d+)$')
  return { text = text, id = id, number = tonumber(number), job = job, queued = tonumber(queued) }
end

local lane = prefix .. 'lane:' .. argument.lane
if redis.call('LLEN', lane) > 0 then insist_on_writing() end
local taken, dropped = {}, 0
while #taken < argument.max and dropped < STALE_PER_CLAIM do
  local text = redis.call('LPOP', lane)
  if not text then break end
  local pointer = parse(text)
  writing = false
  local ok, job = pcall(take, pointer)
  if not ok then
    if writing then return failed(job) end
    bury_pointer(pointer, 'record_unreadable', why_of(job))
    job = nil
  end
  if job then taken[#taken + 1] = job else dropped = dropped + 1 end
end
if dropped == STALE_PER_CLAIM then woken[argument.lane] = true end
return answer({ taken, written })
