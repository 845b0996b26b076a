-- Takes jobs off a lane and begins them.
--
-- lane, worker, lease (milliseconds), max.
-- Answers the jobs: [record, attempt, job].
--
-- A send job's attempt becomes claimed under a lease in the same step. Pointers that are stale are dropped on the way;
-- one without a readable record is put on `dead`, which keeps the last 100. One call drops at most STALE of them, so that
-- a lane full of them does not stop the server.

local STALE = 1024

local function bury(pointer)
  redis.call('RPUSH', prefix .. 'dead', argument.lane .. ' ' .. pointer)
  redis.call('LTRIM', prefix .. 'dead', -100, -1)
end

-- Claims the attempt, unless somebody else has it, it is not the current one, or it is too late.
local function begin(id, record, number)
  local attempt, elapsed = record.a[number], now - record.c
  local is_open = not record.e and elapsed < math.min(record.s, record.x)
  if not is_open or number ~= #record.a or not attempt.f.q then return false end
  local lease_until = elapsed + argument.lease
  attempt.f = { c = { b = argument.worker, l = lease_until } }
  attempt.l = attempt.l or elapsed
  attempt.t = math.min(attempt.t + 1, 255)
  record.v = record.v + 1
  writing = true
  set_timer(id, record.c + math.min(lease_until, record.x))
  write(id, record)
  return true
end

local function take(pointer)
  local id, number, job = pointer:match('^(%S+) (%d+) (%a+) %d+$')
  local record = read(id)
  if not record then error('gone') end
  number = tonumber(number)
  local attempt = record.a[number]
  if not attempt or attempt.p ~= argument.lane then return nil end
  local is_ours = attempt.k == 'w'
  if job == 'send' then is_ours = begin(id, record, number) end
  return is_ours and { kept(id), number, job }
end

local taken, dropped = {}, 0
while #taken < argument.max and dropped < STALE do
  local pointer = redis.call('LPOP', prefix .. 'lane:' .. argument.lane)
  if not pointer then break end
  writing = false
  local ok, job = pcall(take, pointer)
  if not ok then
    if writing then return failed(job) end
    bury(pointer)
    job = nil
  end
  if job then taken[#taken + 1] = job else dropped = dropped + 1 end
end
if dropped == STALE then woken[argument.lane] = true end
return answer(taken)
