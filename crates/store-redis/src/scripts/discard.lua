-- Takes a dead letter away for good.
--
-- key.
-- keep: ended, events.
-- Answers `nothing` if there is no such letter, { ended = [record, how] } if its verification had not ended before, or
-- `taken`.

local found, ended = discard(argument.key)
return answer(found and (ended and { ended = ended } or 'taken') or 'nothing')
