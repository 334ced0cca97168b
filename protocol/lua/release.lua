-- release: executing -> pending. Gives back tasks of one worker: to the front at once, or later.
-- Parts: base keys calls delay held letgo
-- ARGV: now, worker, then for each task, in the order they were claimed: id, claim,
--       delay (seconds, "" for the front at once), begun ("1": the run began and counts as an attempt, "0").
-- Replies: one word per task: "released" | "stale" (the worker does not hold this claim, or the task has another by now) |
--          "wrong-type" (the key it would go to is of another type; it is still held).
-- Promise: never counted as a loss; one that had not begun is not counted as an attempt; the order is kept; safe to send
--          again; works at maxmemory.
-- Vectors: commands/release.json
local worker = ARGV[2]
local held = held_key(worker)

local words, backs, done = {}, {}, {}
local at = 3
while at <= #ARGV do
  local id, claim = ARGV[at], ARGV[at + 1]
  local value = redis.call('HGET', held, id)
  local claimed, queue
  if value and not done[id] then claimed, queue = parse_held(value) end
  local due = ARGV[at + 2] ~= '' and due_in(ARGV[at + 2])
  local word = 'stale'
  if claimed == claim then
    local stands = standing(redis.pcall('HMGET', task_key(id), 'claim', 'state'), claim)
    if stands ~= 'passed' then
      local open = due and fits(scheduled_key(queue), 'zset') or not due and fits(pending_key(queue), 'list')
      word = open and 'released' or 'wrong-type'
    end
    if word ~= 'wrong-type' then
      done[id] = true
      backs[#backs + 1] = {id, queue, due, ARGV[at + 3] == '1', stands}
    end
  end
  words[#words + 1] = word
  at = at + 4
end
all_read(at)
if #backs == 0 then return words end

allow_at_maxmemory()
for i = #backs, 1, -1 do
  local id, queue, due, begun, stands = unpack(backs[i])
  let_go(worker, id, queue)
  if stands == 'mine' then write_pending(id, begun) end
  -- An id without its hash goes back too: claim knows what to do with it.
  if stands ~= 'passed' then
    if due then
      redis.call('ZADD', scheduled_key(queue), due, id)
    else
      redis.call('RPUSH', pending_key(queue), id)
    end
  end
end
return words
