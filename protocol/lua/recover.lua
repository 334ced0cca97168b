-- recover: executing -> pending or failed. Takes back what dead workers held and what nobody holds.
-- Parts: base keys time count numbers calls held letgo sealing ending
-- ARGV: now, interval (ms: less after the last call it does nothing), losses (that fail a task), result-ttl, failed-ttl (seconds).
-- Replies: {"early"} | {"amnesty", ms left, tasks taken back, tasks failed} |
--          {"recovered", workers sealed, tasks taken back, tasks failed, unclaimed taken back}.
-- Promise: after a gap between calls (Redis was away, or nobody was there) live workers get time to beat before anybody is
--          taken for dead; what sealed workers held is taken back all the same. A sealed worker claims nothing more, and what
--          was taken from it, it can no longer end. A queue with a key of a wrong type is passed over and loses nothing;
--          bounded work a call; works at maxmemory.
-- Vectors: commands/recover.json
local interval, losses_cap = tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = {ARGV[4], tonumber(ARGV[5])}

local GAP = 3000             -- ms between calls that ask for an amnesty
local AMNESTY = 5000         -- ms
local SEALED_A_CALL = 20
local DEAD_A_CALL = 100      -- sealed workers looked through, and forgotten
local HELD_A_CALL = 500
local SCAN = 500             -- entries of executing a call and queue
local UNCLAIMED_KEPT = 10000 -- ids watched, a queue
local SEARCHES = 50          -- in executing, a call and queue
local UNCLAIMED = 5000       -- ms an id may stand in executing with nobody holding it
local FOREIGN = 3600000      -- the same for a task that runs without a claim: a foreign worker's
local EMPTIED = -2           -- score of a sealed worker from which nothing is left to take

local duty = redis.call('HMGET', duties_key, 'recover', 'amnesty-until')
local last = tonumber(duty[1] or '')
if last and now >= last and now - last < interval then return {'early'} end
allow_at_maxmemory()
redis.call('HSET', duties_key, 'recover', now)
local amnesty = count(duty[2]) - now
if not last or now - last > GAP then
  amnesty = AMNESTY
  redis.call('HSET', duties_key, 'amnesty-until', now + AMNESTY)
end
local is_amnesty = amnesty > 0 and amnesty <= AMNESTY

local taken_back, failed = 0, 0

-- One task of a dead worker: run it again, or give it up after so many losses, or if somebody asked for its end.
local function lose(worker, id, value)
  local claim, queue = parse_held(value)
  -- Bytes that no claim wrote: an id that stands in executing is found there.
  if not queue then return redis.call('HDEL', held_key(worker), id) end
  if not fits(scheduled_key(queue), 'zset') then return end
  local task = redis.pcall('HMGET', task_key(id), 'claim', 'state', 'lost', 'result-ttl', 'reply-to', 'function',
    'cancelled-created')
  let_go(worker, id, queue)
  local stands = standing(task, claim)
  if stands == 'passed' or task[2] == 'finished' then return end
  if stands ~= 'mine' or not task[6] then
    if stands == 'mine' then redis.call('HDEL', task_key(id), 'claim') end   -- nobody may end it any more
    return quarantine(queue, id)
  end
  write_pending(id, true)
  local lost = count(task[3]) + 1
  if task[7] then
    failed = failed + 1
    return settle(id, queue, task[4], task[5], kept, 'result', 'failed', 'error-code', 'cancelled', 'error-reason',
      'cancelled; its worker was lost before it ended the run: ' .. worker, 'lost', lost)
  end
  if lost >= losses_cap then
    failed = failed + 1
    return settle(id, queue, task[4], task[5], kept, 'result', 'failed', 'error-code', 'worker-lost', 'error-reason',
      'worker lost ' .. lost .. ' times while running this task, last ' .. worker, 'lost', lost)
  end
  taken_back = taken_back + 1
  redis.call('HSET', task_key(id), 'lost', lost)
  -- The neighbours of a poison task come back spread over time, not in one batch again.
  redis.call('ZADD', scheduled_key(queue), now + (now_us + 7919 * taken_back) % 500 + (lost - 1) * 1000, id)
end

local sealed = is_amnesty and {} or redis.call('ZRANGEBYSCORE', workers_key, '(-1', now, 'LIMIT', 0, SEALED_A_CALL)
for i = 1, #sealed do seal(sealed[i]) end
local budget = HELD_A_CALL
local dead = redis.call('ZRANGEBYSCORE', workers_key, SEALED, SEALED, 'LIMIT', 0, DEAD_A_CALL)
for i = 1, #dead do
  if budget <= 0 then break end
  -- A small hash is answered whole by HSCAN whatever COUNT says; a large one gives about that many.
  local scanned = redis.pcall('HSCAN', held_key(dead[i]), 0, 'COUNT', budget)
  local page = not is_error(scanned) and scanned[2] or {}
  for k = 1, #page, 2 do
    lose(dead[i], page[k], page[k + 1])
    budget = budget - 1
  end
  if #page == 0 then redis.call('ZADD', workers_key, EMPTIED, dead[i]) end
end
local emptied = redis.call('ZRANGEBYSCORE', workers_key, EMPTIED, EMPTIED, 'LIMIT', 0, DEAD_A_CALL)
for i = 1, #emptied do
  if redis.call('EXISTS', worker_key(emptied[i])) == 0 then redis.call('ZREM', workers_key, emptied[i]) end
end

if is_amnesty then
  return {'amnesty', amnesty, taken_back, failed}
end

-- Ids in executing that nobody holds: a foreign worker died before it wrote the state, or keys were deleted by hand.
local adopted = 0
local function is_held(task, id)
  if not task[2] or not task[3] then return false end
  local value = redis.pcall('HGET', held_key(task[2]), id)
  return value and not is_error(value) and parse_held(value) == task[3]
end

local function adopt(queue, id, task)
  redis.call('LREM', executing_key(queue), 1, id)
  redis.call('ZREM', app .. queue .. ':unclaimed', id)
  adopted = adopted + 1
  if task[1] then write_pending(id, true) end
  redis.call('RPUSH', pending_key(queue), id)
end

-- The entry of an ended task is no longer one to search for. One that was cancelled in between has no lifetime yet.
local function clear_away(queue, id, ttl)
  redis.call('LREM', executing_key(queue), -1, id)
  if ttl ~= 'keep' and redis.call('PTTL', task_key(id)) == -1 then
    redis.call('PEXPIRE', task_key(id), math.floor((ttl and decimal(ttl) and tonumber(ttl) or kept[1]) * 1000))
  end
end

local function scan(queue)
  local unclaimed = app .. queue .. ':unclaimed'
  local from = count(redis.call('HGET', duties_key, 'cursor:' .. queue))
  local ids = redis.call('LRANGE', executing_key(queue), from, from + SCAN - 1)
  local seen_before = redis.call('ZCARD', unclaimed) > 0
  for i = 1, #ids do
    local id = ids[i]
    local task = redis.pcall('HMGET', task_key(id), 'state', 'worker', 'claim', 'result-ttl')
    if is_error(task) then task = {} end
    if task[1] == 'finished' then
      clear_away(queue, id, task[4])
    elseif is_held(task, id) then
      if seen_before then redis.call('ZREM', unclaimed, id) end
    else
      local patience = (task[1] == 'executing' and not task[3]) and FOREIGN or UNCLAIMED
      local first = redis.call('ZSCORE', unclaimed, id)
      if not first then
        redis.call('ZADD', unclaimed, now, id)
      elseif now - tonumber(first) >= patience then
        adopt(queue, id, task)
      end
    end
  end
  -- What left executing by itself is no longer watched. A search in the list is dear, so the hash is asked first.
  local oldest = seen_before and redis.call('ZRANGE', unclaimed, 0, SCAN - 1) or {}
  for i = 1, #oldest do
    local state = redis.pcall('HGET', task_key(oldest[i]), 'state')
    if state == 'finished' or (i <= SEARCHES and not redis.call('LPOS', executing_key(queue), oldest[i])) then
      redis.call('ZREM', unclaimed, oldest[i])
    end
  end
  redis.call('ZREMRANGEBYRANK', unclaimed, UNCLAIMED_KEPT, -1)
  redis.call('HSET', duties_key, 'cursor:' .. queue, #ids < SCAN and 0 or from + SCAN)
end

local queues = redis.call('SMEMBERS', queues_key)
for i = 1, #queues do
  local executing, unclaimed = executing_key(queues[i]), app .. queues[i] .. ':unclaimed'
  if fits(executing, 'list') and fits(pending_key(queues[i]), 'list') and fits(unclaimed, 'zset') then
    if redis.call('EXISTS', executing) == 1 then scan(queues[i]) else redis.call('DEL', unclaimed) end
  end
end
return {'recovered', #sealed, taken_back, failed, adopted}
