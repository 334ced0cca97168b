-- cancel: pending -> finished; executing -> its worker is asked. Ends tasks that nobody wants any more.
-- Parts: base keys time numbers calls ending
-- ARGV: now, result-ttl (seconds), take (how many ids of the list `cancel` at most), then ids.
-- Replies: one word per id, those given first, then those taken: "cancelled" (that is its end, written now
--          or before) | "asked" (it runs, and its worker is asked to end the run) | "finished" (it had another end already) |
--          "unknown" (there is no such task, and none is made) | "wrong-type" (its key is no hash).
-- Promise: one that waits costs the same whatever waits beside it; a request reaches the run it was made for and no later one;
--          safe to send again; works at maxmemory.
-- Vectors: commands/cancel.json
local kept = {ARGV[2]}
local TAKEN = 100         -- ids of the list a call
local STOP_KEPT = 60000   -- ms a worker has to hear of a stop

local list = app .. 'cancel'
local take = fits(list, 'list') and math.min(tonumber(ARGV[3]), TAKEN) or 0
local taken = take > 0 and redis.call('LRANGE', list, -take, -1) or {}

local ids = {}
for i = 4, #ARGV do ids[#ids + 1] = ARGV[i] end
for i = #taken, 1, -1 do ids[#ids + 1] = taken[i] end

local function judge(task, id)
  if is_error(task) then return 'wrong-type' end
  if task[1] == 'finished' then return task[2] == 'cancelled' and 'cancelled' or 'finished' end
  if task[1] == 'executing' then return 'asked' end
  if not task[1] and redis.call('EXISTS', task_key(id)) == 0 then return 'unknown' end
  return 'cancelled'
end

local words, word_of, todo = {}, {}, {}
for i = 1, #ids do
  local id = ids[i]
  if not word_of[id] then
    local task = redis.pcall('HMGET', task_key(id), 'state', 'error-code', 'queue', 'worker', 'claim', 'result-ttl',
      'reply-to', 'attempts')
    word_of[id] = judge(task, id)
    local is_over = task[1] == 'finished'
    if not is_over and (word_of[id] == 'cancelled' or word_of[id] == 'asked') then todo[#todo + 1] = {id, unpack(task, 1, 8)} end
  end
  words[i] = word_of[id]
end
if #todo == 0 and #taken == 0 then return words end

-- The entry of a task that waits stays in its list, since a search there would cost as much as waits beside it; claim drops
-- it, and gives the hash its lifetime then. One that is scheduled is found at once.
local function finish_now(id, queue, ttl, reply_to, attempts)
  local was_scheduled = queue and redis.pcall('ZREM', scheduled_key(queue), id) == 1
  redis.call('HDEL', task_key(id), 'claim', 'result-value', 'error-exception')
  settle(id, queue, ttl, reply_to, kept, 'result', 'failed', 'error-code', 'cancelled', 'error-reason',
    attempts and attempts ~= '0' and 'cancelled before it ran again' or 'cancelled before it ran')
  if not was_scheduled then redis.call('PERSIST', task_key(id)) end
end

local asked = {}
local function ask(id, worker, claim)
  redis.call('HSETNX', task_key(id), 'cancelled-created', now_text())
  if not worker or not claim then return end
  local stops = app .. 'stop:' .. worker
  redis.pcall('SADD', stops, claim)
  redis.pcall('PEXPIRE', stops, STOP_KEPT)
  asked[worker] = true
end

allow_at_maxmemory()
if #taken > 0 then redis.call('LTRIM', list, 0, -#taken - 1) end
for i = 1, #todo do
  local id, state, _, queue, worker, claim, ttl, reply_to, attempts = unpack(todo[i], 1, 9)
  if state == 'executing' then ask(id, worker, claim) else finish_now(id, queue, ttl, reply_to, attempts) end
end
for worker in pairs(asked) do redis.pcall('PUBLISH', app .. 'cmd', 'stop ' .. worker) end
return words
