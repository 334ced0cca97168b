-- ending.lua: the one way to end a task, and what can be no task. Uses time and numbers.
local FAILED_KEPT = 10000      -- entries in a queue's failed set
local QUARANTINE_KEPT = 1000   -- entries in a queue's quarantine
local ID_BYTES = 255

-- Drops an id that can be no task where a person will look for it.
local function quarantine(queue, id)
  redis.pcall('LPUSH', app .. queue .. ':quarantine', string.sub(id, 1, ID_BYTES))
  redis.pcall('LTRIM', app .. queue .. ':quarantine', 0, QUARANTINE_KEPT - 1)
end

local results = app .. 'results'
local TOLD_BYTES = 4096        -- of a result that is told with its end

-- What a reply-to channel hears: the key, a newline, and the result if it is a small one. Most waiters need no look at
-- the hash then; no newline stands in it, so the last one ends the key whatever bytes an id has.
local function told(key, result, field, value)
  if result ~= 'successful' or field ~= 'result-value' or #value > TOLD_BYTES or string.find(value, '\n', 1, true) then
    value = ''
  end
  return key .. '\n' .. value
end

-- A cancelled task is over as it was wished: it is kept like a successful one, and is no failure to look at.
local function is_failure(result, code) return result == 'failed' and code ~= 'cancelled' end

-- Seconds as a whole number of ms, in digits: Redis spells a number of Lua anew for every call.
local spelled = {}
local function ms_of(ttl)
  if not spelled[ttl] then spelled[ttl] = string.format('%d', tonumber(ttl) * 1000) end
  return spelled[ttl]
end

-- What a run said lives as long as its end. Only a run that said something has the field `output`.
local function keep_output(id, ttl, ...)
  for i = 5, select('#', ...), 2 do
    if select(i, ...) == 'output' then
      if ttl == 'keep' then redis.pcall('PERSIST', app .. 'log:' .. id)
      else redis.pcall('PEXPIRE', app .. 'log:' .. id, ms_of(ttl)) end
    end
  end
end

-- Writes the end of one task: state, result, lifetime, failed set; then tells of it.
-- ttl: the task's own result-ttl, or false. kept: seconds {successful, failed}. Then field, value, ...: `result` first, and
-- for a failed one `error-code` next.
local function settle(id, queue, ttl, reply_to, kept, ...)
  local key = task_key(id)
  redis.call('HSET', key, 'state', 'finished', 'finished-created', now_text(), ...)
  local _, result, _, code = ...
  local failed = is_failure(result, code)
  -- The hash is read again at the end, and a stranger may have spoilt its wish since.
  if not ttl or not is_lifetime(ttl) then ttl = failed and kept[2] or kept[1] end
  if ttl == 'keep' then
    redis.call('PERSIST', key)
  else
    redis.call('PEXPIRE', key, ms_of(ttl))
  end
  if select('#', ...) > 4 then keep_output(id, ttl, ...) end
  if failed then
    local set = app .. queue .. ':failed'
    redis.pcall('ZADD', set, now, id)
    redis.pcall('ZREMRANGEBYSCORE', set, '-inf', now - kept[2] * 1000)
    redis.pcall('ZREMRANGEBYRANK', set, 0, -FAILED_KEPT - 1)
  end
  -- By pcall: a message is a hint, the hash is the truth.
  redis.pcall('PUBLISH', results, key)
  if reply_to and #reply_to < 256 and string.sub(reply_to, 1, #app) == app then
    redis.pcall('PUBLISH', reply_to, told(key, select(2, ...)))
  end
end
