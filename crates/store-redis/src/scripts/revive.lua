-- Puts a buried verification back to work.
--
-- key.
-- Answers whether there is such a letter.

-- A queued attempt stands on its lane again for as long as it was to wait there at first; anything else is due now. Answers
-- when somebody must look.
local function put_back(id, record)
  local attempt = not record.e and record.a[#record.a]
  if not attempt or not attempt.f.q then return now end
  local elapsed = now - record.c
  attempt.f.q.w = elapsed + math.max(attempt.f.q.w - attempt.q, 0)
  -- Whoever decided on the instant that it was to be withdrawn at decides again.
  record.v = record.v + 1
  dispatch(attempt.p, id, attempt.n, 'send')
  return record.c + math.min(attempt.f.q.w, record.x)
end

local letter = take_letter(argument.key)
if letter and letter.v then
  local key = prefix .. 'v:' .. letter.v
  local fields = redis.call('HMGET', key, 'r', 'b')
  if fields[1] then
    local ok, record = pcall(unpacked, fields[1])
    if not ok then
      set_timer(letter.v, now)
    elseif not record.e or fields[2] then
      record.z = nil
      set_timer(letter.v, put_back(letter.v, record))
      write(letter.v, record)
    end
  end
end
return answer(letter ~= nil)
