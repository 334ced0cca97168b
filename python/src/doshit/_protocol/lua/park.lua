-- park: executing -> pending. Sets aside tasks whose function this worker lacks, for one that serves it.
-- Parts: base keys time count numbers calls held letgo served ending
-- ARGV: now, worker, grace (seconds an unknown function may stay unserved), then for each task: id, claim, function.
-- Replies: one word per task: "parked" (a live worker serves it and takes it from its parked list) |
--          "waits" (nobody serves it yet: looked at again in a second, until the grace is over) |
--          "unknown" (the grace is over; the task is still held: finish it as unknown-function) |
--          "stale" (the worker does not hold this claim, or there is no such task any longer) |
--          "wrong-type" (the key it would go to is of another type; it is still held).
-- Promise: no attempt is counted; a rolling deploy loses nothing; works at maxmemory.
-- Vectors: commands/park.json
local worker, grace = ARGV[2], tonumber(ARGV[3])
local held = held_key(worker)

local function parked_list(queue, fn) return app .. queue .. ':parked:' .. fn end

-- The word for a task that stands as it was claimed. since: ms, when somebody first found nobody to serve it.
local function judge(queue, fn, since)
  if is_served(queue, fn, worker) then
    return fits(parked_list(queue, fn), 'list') and fits(app .. queue .. ':parked', 'zset') and 'parked' or 'wrong-type'
  end
  if now - since >= grace * 1000 then return 'unknown' end
  return fits(scheduled_key(queue), 'zset') and 'waits' or 'wrong-type'
end

local words, moves, done = {}, {}, {}
local at = 4
while at <= #ARGV do
  local id, claim, fn = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local value = redis.call('HGET', held, id)
  local claimed, queue
  if value and not done[id] then claimed, queue = parse_held(value) end
  local word = 'stale'
  if claimed == claim then
    local task = redis.pcall('HMGET', task_key(id), 'claim', 'state', 'unknown-since')
    local stands = standing(task, claim)
    local since = math.min(now, task[3] and whole(task[3]) and tonumber(task[3]) or now)
    if stands == 'mine' then word = judge(queue, fn, since) end
    if word ~= 'unknown' and word ~= 'wrong-type' then
      done[id] = true
      moves[#moves + 1] = {word, id, queue, fn, since, stands}
    end
  end
  words[#words + 1] = word
  at = at + 3
end
all_read(at)
if #moves == 0 then return words end

allow_at_maxmemory()
local hinted = {}
for i = 1, #moves do
  local word, id, queue, fn, since, stands = unpack(moves[i])
  let_go(worker, id, queue)
  if stands == 'mine' then write_pending(id, false) end
  if stands == 'spoilt' then quarantine(queue, id) end
  if word == 'parked' then
    redis.call('HDEL', task_key(id), 'unknown-since')
    redis.call('LPUSH', parked_list(queue, fn), id)
    redis.call('ZADD', app .. queue .. ':parked', 'NX', now, fn)
    hinted[queue] = true
  elseif word == 'waits' then
    redis.call('HSET', task_key(id), 'unknown-since', since)
    redis.call('ZADD', scheduled_key(queue), now + math.min(1000, math.max(50, grace * 250)), id)
  end
end
for queue in pairs(hinted) do redis.pcall('PUBLISH', app .. 'cmd', 'parked ' .. queue) end
return words
