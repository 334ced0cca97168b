-- drop: forgets failed tasks, with all that is left of them. Touches no task that waits, runs or succeeded.
-- Parts: base keys
-- ARGV: now, then ids.
-- Replies: one word per id: "dropped" | "unknown" (there is no such task) | "not-failed" (it succeeded, was cancelled, or is not
--          over) | "wrong-type" (its key is no hash).
-- Promise: hash, output and the entry in `failed` go in one step; safe to send again; works at maxmemory.
-- Vectors: commands/drop.json
local DEFAULT = 'default'

local words = {}
for i = 2, #ARGV do
  local id = ARGV[i]
  local task = redis.pcall('HMGET', task_key(id), 'state', 'result', 'error-code', 'queue')
  local word = 'dropped'
  if is_error(task) then
    word = 'wrong-type'
  elseif task[1] ~= 'finished' or task[2] ~= 'failed' or task[3] == 'cancelled' then
    -- One that was cancelled fades by itself, and its id may stand in a queue until then.
    word = redis.call('EXISTS', task_key(id)) == 0 and 'unknown' or 'not-failed'
  else
    redis.call('DEL', task_key(id), app .. 'log:' .. id)
    redis.pcall('ZREM', app .. (task[4] or DEFAULT) .. ':failed', id)
  end
  words[#words + 1] = word
end
return words
