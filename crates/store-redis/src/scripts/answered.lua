-- Says what was answered under a request's name before.
--
-- request {scope, id, value}.
-- Answers what `repeated` does, or `nothing`.

return answer(repeated(argument.request) or 'nothing')
