-- Merges receipts, as `decision::receipt::merge` does.
--
-- items: id and attempt, or ref (the key of a message); provider, rank, status, because [class, error].
-- keep:  events, evidence.
-- Answers per item: `unknown`, { stale = [id, attempt] }, or { advanced = [record, attempt] }.
--
-- The version stays: a receipt is no conflict for a commit that was decided before it came.

local EXPIRED, DELIVERED = 2, 4

local function locate(item)
  if not item.ref then return item.id, item.attempt end
  local id, attempt = (redis.call('GET', prefix .. 'ref:' .. item.ref) or ''):match('^(%S+) (%d+)$')
  return id, tonumber(attempt)
end

-- What the report is the first to say: that the message arrived, or that it will not.
local function news(known, rank, took)
  local is_negative = rank >= EXPIRED and rank < DELIVERED
  if rank >= DELIVERED and known < DELIVERED then return 'd:' .. latency_bin(took) end
  if is_negative and known < EXPIRED then return 'u' end
end

return each(function(item)
  local id, number = locate(item)
  if not id then return 'unknown' end
  local record = read(id)
  local attempt = record and record.a[number]
  if not attempt or not attempt.l or attempt.p ~= item.provider then return 'unknown' end
  local known = attempt.r and attempt.r.r or 0
  if known >= item.rank then return { stale = { id, number } } end
  local elapsed = now - record.c
  local measure = news(known, item.rank, elapsed - attempt.l)
  local segment = segment_of(record, attempt)
  attempt.r = { r = item.rank, t = elapsed, b = item.because }

  writing = true
  write(id, record)
  if measure then observe(segment, measure, record.c + attempt.l) end
  tell({
    'v', id, 't', record.t, 'kind', 'receipt_merged', 'attempt', number, 'provider', attempt.p,
    'channel', CHANNELS[attempt.c], 'status', item.status,
  })
  return { advanced = { kept(id), number } }
end)
