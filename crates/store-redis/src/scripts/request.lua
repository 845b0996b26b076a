-- What is remembered of requests, for the scripts that ask for it.

local function request_key(request)
  return prefix .. 'idem:' .. request.scope .. ':' .. redis.sha1hex(request.id):sub(1, 20)
end

-- What was answered before under the request's name. The value is the 16 bytes of the verification's id and a hash of what
-- was asked.
local function repeated(request)
  local earlier = redis.call('GET', request_key(request))
  if not earlier then return nil end
  if earlier:sub(17) ~= request.value:sub(17) then return 'reused' end
  return { repeated = earlier:sub(1, 16) }
end
