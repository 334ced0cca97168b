-- promote: scheduled -> pending. Moves due tasks to their queue, where they wait like everyone; a recovered one goes to the front.
-- Parts: base keys calls served
-- ARGV: now, interval (ms: less after the last call it does nothing), limit (ids a queue and call).
-- Replies: {"early"} | {"promoted", how many, ms until the next is due (at most a day) or -1, parked tasks set free,
--          ids in `cancel`}.
-- Promise: an id leaves `scheduled` and enters pending in one step; parked tasks that no live worker serves any longer go
--          back to pending; a queue with a key of a wrong type is passed over; works at maxmemory.
-- Vectors: commands/promote.json
local interval, limit = tonumber(ARGV[2]), tonumber(ARGV[3])

local last = tonumber(redis.call('HGET', duties_key, 'promote') or '')
if last and now >= last and now - last < interval then return {'early'} end
allow_at_maxmemory()
redis.call('HSET', duties_key, 'promote', now)

local NEXT_AT_MOST = 86400000   -- ms; a score of +inf is no number a reply can carry
local PARKED_NAMES = 100        -- parked functions looked at, a queue

local promoted, freed, next_due = 0, 0, -1

local function is_lost(id)
  local lost = redis.pcall('HGET', task_key(id), 'lost')
  return lost and not is_error(lost) and lost ~= '0'
end

local function move_due(queue)
  local due = redis.call('ZRANGEBYSCORE', scheduled_key(queue), '-inf', now, 'LIMIT', 0, limit)
  for i = 1, #due do
    redis.call('ZREM', scheduled_key(queue), due[i])
    redis.call(is_lost(due[i]) and 'RPUSH' or 'LPUSH', pending_key(queue), due[i])
  end
  promoted = promoted + #due
  local first = redis.call('ZRANGE', scheduled_key(queue), 0, 0, 'WITHSCORES')
  if first[2] then
    local wait = math.ceil(math.max(0, math.min(tonumber(first[2]) - now, NEXT_AT_MOST)))
    if next_due < 0 or wait < next_due then next_due = wait end
  end
end

local function free_unserved(queue)
  local functions = redis.call('ZRANGE', app .. queue .. ':parked', 0, PARKED_NAMES - 1)
  for i = 1, #functions do
    local list = app .. queue .. ':parked:' .. functions[i]
    if fits(list, 'list') and not is_served(queue, functions[i]) then
      local ids = redis.call('LRANGE', list, -limit, -1)
      if #ids > 0 then
        redis.call('LTRIM', list, 0, -#ids - 1)
        redis.call('RPUSH', pending_key(queue), unpack(ids))
      end
      freed = freed + #ids
    end
    if redis.call('EXISTS', list) == 0 then redis.call('ZREM', app .. queue .. ':parked', functions[i]) end
  end
end

local queues = redis.call('SMEMBERS', queues_key)
for i = 1, #queues do
  local queue = queues[i]
  -- Most of the time neither is there, and this is asked ten times a second.
  local parked = app .. queue .. ':parked'
  if redis.call('EXISTS', scheduled_key(queue), parked) > 0 and fits(pending_key(queue), 'list')
    and fits(scheduled_key(queue), 'zset') and fits(parked, 'zset') then
    move_due(queue)
    free_unserved(queue)
  end
end
local cancels = redis.pcall('LLEN', app .. 'cancel')
return {'promoted', promoted, next_due, freed, is_error(cancels) and 0 or cancels}
