-- mend: what `doshit doctor --fix` does to one task, whole or not at all. No transition: nothing else sends it.
-- KEYS[1]: the prefix with its colon. ARGV[1]: push | adopt | bury | expire | seal, then as each says below.
-- Replies: one word; "fine" when what was seen before is so no longer, and nothing was written.
-- Promise: looks at everything again before it writes, so it may come late, or twice; an id never enters a second list.
local app, action, id = KEYS[1], ARGV[1], ARGV[2]

local QUARANTINE_KEPT = 1000   -- as parts/ending.lua has it
local PARKED_NAMES = 1000      -- of a queue

local function task_key() return app .. 'task:' .. id end
local function list_of(queue, kind) return app .. queue .. ':' .. kind end
local function is_error(reply) return type(reply) == 'table' and reply.err ~= nil end

local function fits(key, kind)
  local is = redis.call('TYPE', key).ok
  return is == 'none' or is == kind
end

local function fields(...)
  local read = redis.pcall('HMGET', task_key(), ...)
  return not is_error(read) and read or {}
end

-- Is it there? A key of another type holds no id; after any other refusal it may be there, and is left alone.
local function there(reply)
  return is_error(reply) and not string.find(reply.err, 'WRONGTYPE', 1, true) or not is_error(reply) and reply
end

local function is_held(worker)
  return worker and there(redis.pcall('HGET', app .. 'held:' .. worker, id))
end

local function stands_in(queue)
  if there(redis.pcall('ZSCORE', list_of(queue, 'scheduled'), id)) then return true end
  for _, kind in ipairs({'pending', 'arrived', 'executing', 'quarantine'}) do
    if there(redis.pcall('LPOS', list_of(queue, kind), id)) then return true end
  end
  local parked = redis.pcall('ZRANGE', list_of(queue, 'parked'), 0, PARKED_NAMES - 1)
  for _, name in ipairs(not is_error(parked) and parked or {}) do
    if there(redis.pcall('LPOS', list_of(queue, 'parked:' .. name), id)) then return true end
  end
  return false
end

local function stands(worker, first)
  if is_held(worker) then return true end
  for i = first, #ARGV do
    if stands_in(ARGV[i]) then return true end
  end
  return false
end

-- How many entries of it were in a list. One of another type holds none.
local function lrem(queue, kind)
  local list = list_of(queue, kind)
  return fits(list, 'list') and redis.call('LREM', list, 0, id) or 0
end

local function set_aside(queue)
  redis.call('LPUSH', list_of(queue, 'quarantine'), id)
  redis.call('LTRIM', list_of(queue, 'quarantine'), 0, QUARANTINE_KEPT - 1)
  return 'quarantined'
end

local mend = {}

-- id, queue it goes to, all queues it may stand in. A task that is not over and stands nowhere waits again; one that had
-- begun goes to the front.
function mend.push()
  local queue = ARGV[3]
  local task = fields('function', 'state', 'worker')
  if not task[1] or task[2] == 'finished' or stands(task[3], 4) then return 'fine' end
  if not fits(list_of(queue, 'pending'), 'list') then return 'wrong-type' end
  redis.call(task[2] == 'executing' and 'RPUSH' or 'LPUSH', list_of(queue, 'pending'), id)
  redis.call('HSET', task_key(), 'state', 'pending', 'queue', queue)
  redis.call('HDEL', task_key(), 'claim')
  redis.call('PERSIST', task_key())
  redis.pcall('SADD', app .. 'queues', queue)
  return 'pushed'
end

-- id, queue, claim seen before ("" for none). An entry of executing that nobody holds leaves it.
function mend.adopt()
  local queue = ARGV[3]
  local executing, pending = list_of(queue, 'executing'), list_of(queue, 'pending')
  if not (fits(pending, 'list') and fits(list_of(queue, 'quarantine'), 'list')) then return 'wrong-type' end
  local task = fields('state', 'worker', 'claim', 'function')
  if (task[3] or '') ~= ARGV[4] or is_held(task[2]) then return 'fine' end
  if redis.call('LREM', executing, -1, id) == 0 then return 'fine' end
  redis.pcall('ZREM', list_of(queue, 'unclaimed'), id)
  if task[1] == 'finished' then return 'removed' end
  if not task[1] and not task[4] then return set_aside(queue) end
  redis.call('HSET', task_key(), 'state', 'pending')
  redis.call('HDEL', task_key(), 'claim')
  redis.call('RPUSH', pending, id)
  return 'given-back'
end

-- id, queue. An id that waits and has no hash goes to quarantine.
function mend.bury()
  local queue = ARGV[3]
  if redis.call('EXISTS', task_key()) == 1 or not fits(list_of(queue, 'quarantine'), 'list') then return 'fine' end
  if lrem(queue, 'arrived') + lrem(queue, 'pending') == 0 then return 'fine' end
  return set_aside(queue)
end

-- id, result-ttl, failed-ttl (seconds), all queues it may stand in. A cancelled task keeps its hash while its id waits.
function mend.expire()
  local task = fields('state', 'result', 'result-ttl', 'worker')
  if task[1] ~= 'finished' or task[3] == 'keep' or redis.call('PTTL', task_key()) ~= -1 or stands(task[4], 5) then
    return 'fine'
  end
  local own = task[3] and #task[3] < 16 and string.match(task[3], '^%d+%.?%d*$') and tonumber(task[3])
  local ttl = own and own < 1e10 and own or tonumber(task[2] == 'failed' and ARGV[4] or ARGV[3])
  redis.call('PEXPIRE', task_key(), math.floor(ttl * 1000))
  return 'expires'
end

-- worker. One that holds tasks and stands nowhere is entered as sealed: recover then takes back what it held.
function mend.seal()
  if redis.call('HLEN', app .. 'held:' .. id) == 0 then return 'fine' end
  return redis.call('ZADD', app .. 'workers', 'NX', -1, id) == 1 and 'sealed' or 'fine'
end

return mend[action]()
