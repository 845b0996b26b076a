-- Tries commands, and answers with the names of those that the user may not run, one a line. Stands alone: it reads no
-- clock and writes nothing that stays.
--
-- KEYS[1]  the partition's prefix
-- ARGV[1]  one command a line, `key` for a key that nothing else uses. The first deletes that key and the second sets it
--          so that it ends by itself. Who may do neither is asked no more, as others could make a key that stays.

local key = KEYS[1] .. 'probe'
local refused = {}
local tried = 0
for line in ARGV[1]:gmatch('[^\n]+') do
  local words = {}
  for word in line:gmatch('%S+') do
    words[#words + 1] = word == 'key' and key or word
  end
  local reply = redis.pcall(unpack(words))
  local problem = type(reply) == 'table' and reply.err or ''
  -- Redis 7.0 says it without the code that says it everywhere else. Any other error is one of the command's own.
  if problem:find('^NOPERM') or problem:find('^ERR The user executing the script can') then
    refused[#refused + 1] = words[1]
  end
  tried = tried + 1
  if tried == 2 and #refused == 2 then
    break
  end
end
redis.pcall('DEL', key)
return table.concat(refused, '\n')
