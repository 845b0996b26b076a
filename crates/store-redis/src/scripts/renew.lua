-- Extends leases that are still held.
--
-- lease (milliseconds), items: id, attempt, worker.
-- Answers per item whether it was.
--
-- The version stays: a renewed lease is no conflict for what its holder decides. The timer moves along if it is the
-- lease's.

-- When somebody must look at a claimed attempt: at the end of its lease, and of its verification's life.
local function lease_timer(record, claim)
  return record.c + (record.e and claim.l or math.min(claim.l, record.x))
end

return each(function(item)
  local record = read(item.id)
  local attempt = record and record.a[item.attempt]
  local claim = attempt and attempt.f.c
  local elapsed = record and now - record.c
  if not claim or claim.b ~= item.worker or elapsed >= claim.l then return 'lost' end
  local timer = tonumber(redis.call('ZSCORE', prefix .. 'timers', item.id) or 0)
  local is_timer = timer == lease_timer(record, claim)
  claim.l = elapsed + argument.lease
  writing = true
  write(item.id, record)
  if is_timer then set_timer(item.id, lease_timer(record, claim)) end
  return 'held'
end)
