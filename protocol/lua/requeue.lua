-- requeue: finished -> pending. Lets failed tasks run once more, by hand, as if they were new.
-- Parts: base keys time calls
-- ARGV: now, then ids.
-- Replies: one word per id: "requeued" | "unknown" (there is no such task) | "not-failed" (it succeeded, or is not over) |
--          "wrong-type" (its key is no hash, or its queue no list).
-- Promise: what was asked for stays, what became of it goes, with an `expires` that is over; safe to send again. Refused whole
--          at maxmemory; refused by rights it leaves the task failed.
-- Vectors: commands/requeue.json
local DEFAULT, QUEUE_BYTES = 'default', 64

-- A queue's name as the hash has it, where it is one.
local function queue_of(name)
  return name and #name <= QUEUE_BYTES and string.match(name, '^[%w._-]+$') or DEFAULT
end

local words, backs, seen = {}, {}, {}
for i = 2, #ARGV do
  local id = ARGV[i]
  local task = redis.pcall('HMGET', task_key(id), 'state', 'result', 'queue', 'expires')
  local word = 'requeued'
  if is_error(task) then
    word = 'wrong-type'
  elseif seen[id] or task[1] ~= 'finished' or task[2] ~= 'failed' then
    word = redis.call('EXISTS', task_key(id)) == 0 and 'unknown' or 'not-failed'
  elseif not fits(pending_key(queue_of(task[3])), 'list') then
    word = 'wrong-type'
  else
    seen[id] = true
    backs[#backs + 1] = {id, queue_of(task[3]), task[4]}
  end
  words[#words + 1] = word
end

for i = 1, #backs do
  local id, queue, expires = unpack(backs[i], 1, 3)
  local key = task_key(id)
  -- A user may lack the right to some of this, and what was written stays: so the entry first, which means nothing while the
  -- task is finished, and the state last.
  redis.call('LPUSH', pending_key(queue), id)
  redis.call('DEL', app .. 'log:' .. id)
  redis.call('PERSIST', key)
  redis.call('HDEL', key, 'result', 'result-value', 'error-code', 'error-reason', 'error-exception', 'finished-created',
    'executing-created', 'worker', 'claim', 'attempts', 'lost', 'retried', 'failures', 'unknown-since', 'cancelled-created',
    'progress', 'output', 'cpu-time', 'memory-peak')
  if expires and expires <= now_text() then redis.call('HDEL', key, 'expires') end
  redis.call('HSET', key, 'state', 'pending', 'pending-created', now_text(), 'queue', queue)
  redis.pcall('ZREM', app .. queue .. ':failed', id)
  redis.pcall('ZREM', scheduled_key(queue), id)
  redis.pcall('SADD', queues_key, queue)
end
return words
