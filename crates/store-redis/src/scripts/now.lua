-- Reads the clock. Answers true.

return answer(true)
