-- prelude.lua: what every transition shares: the clock, the names of keys, the one way to end a task.
-- It is sent in front of each script; a script's identity is the SHA1 of prelude.lua followed by its own file.
--
-- KEYS[1]  the application prefix with its colon, "doshit:". Every other key is derived from it, so that all
--          of them lie in one hash slot when the prefix carries a {tag}.
-- ARGV[1]  now, microseconds since 1970, or "" for the Redis clock (tests pass it; nobody else does).
local app = KEYS[1]
local now_us
if ARGV[1] == '' then
  local time = redis.call('TIME')
  now_us = time[1] * 1000000 + time[2]
else
  now_us = tonumber(ARGV[1])
end
local now = math.floor(now_us / 1000)

local FAILED_KEPT = 10000      -- entries in a queue's failed set
local QUARANTINE_KEPT = 1000   -- entries in a queue's quarantine
local ID_BYTES = 255

local function task_key(id) return app .. 'task:' .. id end
local function pending_key(queue) return app .. queue .. ':pending' end
local function executing_key(queue) return app .. queue .. ':executing' end
local function scheduled_key(queue) return app .. queue .. ':scheduled' end
local function held_key(worker) return app .. 'held:' .. worker end
local function worker_key(worker) return app .. 'worker:' .. worker end
local workers_key = app .. 'workers'
local queues_key = app .. 'queues'
local duties_key = app .. 'duties'

-- 2015-12-05T00:19:01.834909Z. Days to a date after H. Hinnant, "chrono-compatible low-level date algorithms".
local function timestamp(us)
  local seconds = math.floor(us / 1000000)
  local days = math.floor(seconds / 86400)
  local second = seconds - days * 86400
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%06dZ', year, month, doy - math.floor((153 * mp + 2) / 5) + 1,
    math.floor(second / 3600), math.floor(second % 3600 / 60), second % 60, us - seconds * 1000000)
end

-- This moment as the protocol writes it; made once a call, not once a task.
local moment
local function now_text()
  moment = moment or timestamp(now_us)
  return moment
end

-- Redis refuses a script whose first write may grow memory when maxmemory is reached, and lets it go on once it has
-- written (script.c, scriptVerifyOOM). Scripts that end or hand back work must work there, so they begin with this.
-- By pcall: a duties key of another type must not keep an end from being written.
local function allow_at_maxmemory() redis.pcall('HDEL', duties_key, '-') end

-- A call that is cut short is refused before its first write. at: the first argument that nobody has read.
local function all_read(at)
  if at ~= #ARGV + 1 then error('the arguments of this call do not add up') end
end

-- Lua has no roll-back, so what a script will write to is looked at before.
local function fits(key, kind)
  local is = redis.call('TYPE', key).ok
  return is == 'none' or is == kind
end

-- A delay among the arguments, as ms of the Redis clock.
local function due_in(seconds)
  local wait = tonumber(seconds)
  if not wait or not (wait >= 0 and wait < 1e10) then error('a delay is no number of seconds from 0 to 1e10: ' .. seconds) end
  return math.floor(now + wait * 1000)
end

-- {claim, queue} of a value of held:{worker}.
local function parse_held(value) return string.match(value, '^(%S+) (.+)$') end

-- Is this task held by a worker that recover has not sealed?
local function held_by_live(worker, id)
  if not worker then return false end
  local lease = redis.call('ZSCORE', workers_key, worker)
  if not lease or tonumber(lease) < 0 then return false end
  return redis.pcall('HEXISTS', held_key(worker), id) == 1
end

-- What a worker wrote itself, and a stranger may have spoilt: what is no number counts as 0.
local function whole(value) return #value < 16 and string.match(value, '^%d+$') end
local function count(value) return tonumber(value and whole(value) or 0) end

-- Durations a person typed: seconds, less than 317 years, so that what is computed from them stays a whole number of ms.
local function decimal(value) return #value < 16 and string.match(value, '^%d+%.?%d*$') and tonumber(value) < 1e10 end
local function is_lifetime(ttl) return ttl == 'keep' or decimal(ttl) end

-- A stranger's bytes inside a reason: one line, whatever they are.
local function shown(value) return (string.gsub(string.sub(value, 1, 40), '[^\32-\126]', '?')) end

-- Does a worker with a lease, other than `except`, serve this function on this queue? Asked once a call for each.
local served = {}
local function look_for_server(queue, fn, except)
  local live = redis.call('ZRANGEBYSCORE', workers_key, now, '+inf', 'LIMIT', 0, 1000)
  for i = 1, #live do
    local it = live[i] ~= except and redis.pcall('HMGET', worker_key(live[i]), 'catalog', 'queues') or {}
    if it[1] and it[2] and string.find(',' .. it[2] .. ',', ',' .. queue .. ',', 1, true)
      and redis.pcall('HEXISTS', app .. 'catalog:' .. it[1], fn) == 1 then
      return true
    end
  end
  return false
end
local function is_served(queue, fn, except)
  local name = queue .. ' ' .. fn
  if served[name] == nil then served[name] = look_for_server(queue, fn, except) end
  return served[name]
end

local function is_error(reply) return type(reply) == 'table' and reply.err ~= nil end

-- What the hash of a held task says of the claim that holds it. task: reply to HMGET claim, state...
-- "mine" | "gone" (deleted) | "spoilt" (its key is no hash) | "passed" (claimed again, or deleted and submitted anew).
local function standing(task, claim)
  if is_error(task) then return 'spoilt' end
  if not task[1] and not task[2] then return 'gone' end
  if task[1] == claim or (not task[1] and task[2] ~= 'pending') then return 'mine' end
  return 'passed'
end

local function let_go(worker, id, queue)
  redis.call('HDEL', held_key(worker), id)
  redis.pcall('LREM', executing_key(queue), -1, id)
end

-- The hash of a task that runs no longer and is not over. Its claim goes: nobody may end it by that.
local function write_pending(id, begun)
  redis.call('HSET', task_key(id), 'state', 'pending')
  redis.call('HDEL', task_key(id), 'claim')
  if not begun then redis.pcall('HINCRBY', task_key(id), 'attempts', -1) end
end

-- Drops an id that can be no task where a person will look for it.
local function quarantine(queue, id)
  redis.pcall('LPUSH', app .. queue .. ':quarantine', string.sub(id, 1, ID_BYTES))
  redis.pcall('LTRIM', app .. queue .. ':quarantine', 0, QUARANTINE_KEPT - 1)
end

-- Ends of tasks are announced after everything else is written, and by pcall: a message is a hint, the hash is the truth.
local results = app .. 'results'
local channels, messages = {}, {}
local function announce()
  for i = 1, #channels do redis.pcall('PUBLISH', channels[i], messages[i]) end
end

-- Writes the end of one task: state, result, lifetime, failed set; queues its message for announce().
-- ttl: the task's own result-ttl, or false. kept: seconds {successful, failed}. Then field, value, ... with `result` first.
local function settle(id, queue, ttl, reply_to, kept, ...)
  local key = task_key(id)
  redis.call('HSET', key, 'state', 'finished', 'finished-created', now_text(), ...)
  local failed = select(2, ...) == 'failed'
  -- The hash is read again at the end, and a stranger may have spoilt its wish since.
  if not ttl or not is_lifetime(ttl) then ttl = failed and kept[2] or kept[1] end
  if ttl == 'keep' then
    redis.call('PERSIST', key)
  else
    redis.call('PEXPIRE', key, math.floor(tonumber(ttl) * 1000))
  end
  if failed then
    local set = app .. queue .. ':failed'
    redis.pcall('ZADD', set, now, id)
    redis.pcall('ZREMRANGEBYSCORE', set, '-inf', now - kept[2] * 1000)
    redis.pcall('ZREMRANGEBYRANK', set, 0, -FAILED_KEPT - 1)
  end
  channels[#channels + 1], messages[#channels + 1] = results, key
  if reply_to and #reply_to < 256 and string.sub(reply_to, 1, #app) == app then
    channels[#channels + 1], messages[#channels + 1] = reply_to, key
  end
end
