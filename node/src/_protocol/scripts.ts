/** Written by `make sync` from protocol/lua; change it there. */

const base = `-- base.lua: what every transition begins with: the prefix and the clock.
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
`;

const calls = `-- calls.lua: looks at arguments and keys before anything is written; lets what must work at maxmemory work there.
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
`;

const count = `-- count.lua: reads what a worker wrote itself, and a stranger may have spoilt: what is no whole number counts as 0.
local function whole(value) return #value < 16 and string.match(value, '^%d+$') end
local function count(value) return tonumber(value and whole(value) or 0) end
`;

const delay = `-- delay.lua: a delay among the arguments of a call.
-- As ms of the Redis clock.
local function due_in(seconds)
  local wait = tonumber(seconds)
  if not wait or not (wait >= 0 and wait < 1e10) then error('a delay is no number of seconds from 0 to 1e10: ' .. seconds) end
  return math.floor(now + wait * 1000)
end
`;

const ending = `-- ending.lua: the one way to end a task, and what can be no task. Uses time and numbers.
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
  if result ~= 'successful' or field ~= 'result-value' or #value > TOLD_BYTES or string.find(value, '\\n', 1, true) then
    value = ''
  end
  return key .. '\\n' .. value
end

-- A cancelled task is over as it was wished: it is kept like a successful one, and is no failure to look at.
local function is_failure(result, code) return result == 'failed' and code ~= 'cancelled' end

-- Seconds as a whole number of ms, in digits: Redis spells a number of Lua anew for every call.
local spelled = {}
local function ms_of(ttl)
  if not spelled[ttl] then spelled[ttl] = string.format('%d', tonumber(ttl) * 1000) end
  return spelled[ttl]
end

-- What a run said lives as long as its end. Only a run that said something has the field \`output\`.
local function keep_output(id, ttl, ...)
  for i = 5, select('#', ...), 2 do
    if select(i, ...) == 'output' then
      if ttl == 'keep' then redis.pcall('PERSIST', app .. 'log:' .. id)
      else redis.pcall('PEXPIRE', app .. 'log:' .. id, ms_of(ttl)) end
    end
  end
end

-- Writes the end of one task: state, result, lifetime, failed set; then tells of it.
-- ttl: the task's own result-ttl, or false. kept: seconds {successful, failed}. Then field, value, ...: \`result\` first, and
-- for a failed one \`error-code\` next.
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
`;

const held = `-- held.lua: which claim holds a task.
-- {claim, queue} of a value of held:{worker}.
local function parse_held(value) return string.match(value, '^(%S+) (.+)$') end

-- What the hash of a held task says of the claim that holds it. task: reply to HMGET claim, state...
-- "mine" | "gone" (deleted) | "spoilt" (its key is no hash) | "passed" (claimed again, ended, or deleted and submitted anew).
local function standing(task, claim)
  if is_error(task) then return 'spoilt' end
  if not task[1] and not task[2] then return 'gone' end
  if task[1] == claim or (not task[1] and task[2] ~= 'pending' and task[2] ~= 'finished') then return 'mine' end
  return 'passed'
end
`;

const keys = `-- keys.lua: the names of keys, and what an error looks like.
local function task_key(id) return app .. 'task:' .. id end
local function pending_key(queue) return app .. queue .. ':pending' end
local function arrived_key(queue) return app .. queue .. ':arrived' end
local function executing_key(queue) return app .. queue .. ':executing' end
local function scheduled_key(queue) return app .. queue .. ':scheduled' end
local function held_key(worker) return app .. 'held:' .. worker end
local function worker_key(worker) return app .. 'worker:' .. worker end
local workers_key = app .. 'workers'
local queues_key = app .. 'queues'
local duties_key = app .. 'duties'

local function is_error(reply) return type(reply) == 'table' and reply.err ~= nil end
`;

const letgo = `-- letgo.lua: whether a task is held, and taking it out of its worker's hands. Uses held.
-- Is this task held by a worker that recover has not sealed?
local function held_by_live(worker, id)
  if not worker then return false end
  local lease = redis.call('ZSCORE', workers_key, worker)
  if not lease or tonumber(lease) < 0 then return false end
  return redis.pcall('HEXISTS', held_key(worker), id) == 1
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
`;

const numbers = `-- numbers.lua: reads the numbers that a person typed.
-- Durations: seconds, less than 317 years, so that what is computed from them stays a whole number of ms.
local function decimal(value) return #value < 16 and string.match(value, '^%d+%.?%d*$') and tonumber(value) < 1e10 end
local function is_lifetime(ttl) return ttl == 'keep' or decimal(ttl) end
`;

const sealing = `-- sealing.lua: taking a worker for dead, for good. Uses time.
local SEALED = -1            -- its score in workers
local SEALED_KEPT = 3600000  -- ms a sealed id is remembered
local function seal(worker)
  redis.call('ZADD', workers_key, SEALED, worker)
  redis.pcall('HSET', worker_key(worker), 'sealed', now_text())
  redis.call('PEXPIRE', worker_key(worker), SEALED_KEPT)
end
`;

const served = `-- served.lua: which functions somebody serves.
-- Does a worker with a lease, other than \`except\`, serve this function on this queue? Asked once a call for each.
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
`;

const shown = `-- shown.lua: a stranger's bytes inside a reason.
local function shown(value) return (string.gsub(string.sub(value, 1, 40), '[^\\32-\\126]', '?')) end
`;

const time = `-- time.lua: this moment as the protocol writes it.
-- 2015-12-05T00:19:01.834909Z. Days to a date after H. Hinnant, "chrono-compatible low-level date algorithms".
local function timestamp(us)
  local floor = math.floor
  local seconds = floor(us / 1000000)
  local days = floor(seconds / 86400)
  local second = seconds - days * 86400
  local z = days + 719468
  local era = floor(z / 146097)
  local doe = z - era * 146097
  local yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524) - floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100))
  local mp = floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%06dZ', year, month, doy - floor((153 * mp + 2) / 5) + 1,
    floor(second / 3600), floor(second % 3600 / 60), second % 60, us - seconds * 1000000)
end

-- This moment as the protocol writes it; made once a call, not once a task.
local moment
local function now_text()
  moment = moment or timestamp(now_us)
  return moment
end
`;

export const SOURCES = {
  beat: {
    sha: 'd24d3cf4ce847507406fe957b80590f18c4a3fa1',
    source: `-- beat: says that a worker lives. Renews the one lease of all that it holds.
-- Parts: base keys calls held
${base}${keys}${calls}${held}-- ARGV: now, worker, lease (ms).
-- Replies: {"ok", how many tasks it holds, claims it is asked to end} | {"sealed"} (end your runs, start under a new id) |
--          {"unknown"} (register again: the keys are gone).
-- Promise: one call per beat whatever is in flight; works at maxmemory; a sealed worker can not come back to life. Each beat
--          names a claim to end while the worker holds it: a lost reply loses no stop, nor one that came before its claim.
-- Vectors: commands/beat.json
local worker, lease = ARGV[2], tonumber(ARGV[3])

local STOPS = 1000   -- claims looked at, a call

local score = redis.call('ZSCORE', workers_key, worker)
if score and tonumber(score) < 0 then return {'sealed'} end
local me = redis.call('HMGET', worker_key(worker), 'catalog', 'queues')
if not score or not me[1] then return {'unknown'} end

local holds = redis.call('HLEN', held_key(worker))

allow_at_maxmemory()
redis.call('ZADD', workers_key, now + lease, worker)
-- What describes a worker fades when nobody keeps it alive.
redis.call('PEXPIRE', worker_key(worker), lease * 6)
redis.call('PEXPIRE', app .. 'catalog:' .. me[1], lease * 6)
for queue in string.gmatch(me[2] or '', '[^,]+') do redis.pcall('SADD', queues_key, queue) end

-- The claims to end that the worker still holds; the others are over, and are taken out.
local function claims_to_end()
  local key = app .. 'stop:' .. worker
  local asked = redis.pcall('SRANDMEMBER', key, STOPS)
  if is_error(asked) or #asked == 0 then return {} end
  local is_held, held = {}, redis.call('HVALS', held_key(worker))
  for i = 1, #held do is_held[parse_held(held[i]) or ''] = true end
  local wanted, over = {}, {}
  for i = 1, #asked do
    local list = is_held[asked[i]] and wanted or over
    list[#list + 1] = asked[i]
  end
  if #over > 0 then redis.call('SREM', key, unpack(over)) end
  return wanted
end

return {'ok', holds, claims_to_end()}
`,
  },
  cancel: {
    sha: '73ce7d88a16721a780da57d454d68a64553a714c',
    source: `-- cancel: pending -> finished; executing -> its worker is asked. Ends tasks that nobody wants any more.
-- Parts: base keys time numbers calls ending
${base}${keys}${time}${numbers}${calls}${ending}-- ARGV: now, result-ttl (seconds), take (how many ids of the list \`cancel\` at most), then ids.
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
`,
  },
  claim: {
    sha: '4fe33108596fd2b0b55133a03e264afdd641dfc9',
    source: `-- claim: pending -> executing. Moves up to n ids to executing and takes them for one worker, in one step.
-- Parts: base time
${base}${time}-- ARGV: now, worker, request, limit, bytes (of args a call), args-cap (bytes of one task's args),
--       result-ttl, failed-ttl (seconds), count of queues, queues in the order they are served,
--       then, in a call that stands behind a wait, the name of this wait.
-- Replies: {"sealed"} | {"unknown"} (register first) |
--          {"claimed", looked, tasks, problems, mark, queue}: looked is how many entries were taken off the queues, or the limit
--          if the bytes came to their end before. tasks is one flat list: how many items follow, 3, 5, 7 or 15, then these.
--          3 are id, function, args of a task of this queue, and its claim is the mark and its place among the tasks, from 1.
--          5 are id, queue, claim, function, args; 7 are these, attempts, lost; 15 are these, time-limit, memory-limit,
--          retries, retry-delay, retry-backoff, traceparent, username, retried. A problem is {queue, what Redis said}.
-- Promise: request is a number that grows with every call of one worker, or of one of its waits; the same number again
--          answers the same tasks and takes none, so a lost reply strands nothing. Nothing is popped that was not read. At most
--          1000 entries of a list a call. Refused whole at maxmemory.
-- Vectors: commands/claim.json
local worker, request, limit = ARGV[2], tonumber(ARGV[3]), math.min(tonumber(ARGV[4]), 1000)
local bytes_left, args_cap = tonumber(ARGV[5]), tonumber(ARGV[6])
local kept = {ARGV[7], tonumber(ARGV[8])}
local queue_count = tonumber(ARGV[9])
local first_queue, wait = queue_count > 0 and ARGV[10] or '', ARGV[10 + queue_count]

local HASH_GRACE = 5000       -- ms an id may wait for its hash
local HASH_LOOK = 250         -- ms between looks
local WAITING_KEPT = 10000    -- ids that may wait for their hash, a queue
local WAITING_OLD = 60000     -- ms after which an id that nobody looked at again is a new one
local LOSSES_ALONE = 2        -- a task this often lost is held one at a time
local PARKED_NAMES = 100      -- parked functions looked at, a queue
local NAME_BYTES = 255        -- of an id, a function's name, who asked, and a trace context

local score = redis.call('ZSCORE', app .. 'workers', worker)
if not score then return {'unknown'} end
if tonumber(score) < 0 then return {'sealed'} end
local own, held, cutoffs_key = app .. 'worker:' .. worker, app .. 'held:' .. worker, app .. 'cutoffs'
local counter = wait and 'request:' .. wait or 'request'
local me = redis.call('HMGET', own, counter, 'catalog', 'suspect')
if not me[2] then return {'unknown'} end
local mark = worker .. '/' .. (wait and wait .. ':' or '') .. ARGV[3] .. '.'   -- what the claims of this call begin with
local last = me[1] and #me[1] < 16 and string.match(me[1], '^%d+$')   -- a stranger may have spoilt it
local is_repeated = last and request <= tonumber(last)

-- The fields of a task that has no others, as most do not: function, args, queue, pending-created. Else nil and how many
-- bytes were read: look closer.
local function read_plain(key)
  local all = redis.pcall('HGETALL', key)
  local fn, args, queue, created, is_plain = nil, nil, nil, nil, true
  for i = 1, #all, 2 do
    local name, value = all[i], all[i + 1]
    if name == 'function' then fn = value
    elseif name == 'args' then args = value
    elseif name == 'queue' then queue = value
    elseif name == 'pending-created' then created = value
    elseif not (name == 'reply-to' or (name == 'state' and value == 'pending')) then is_plain = false end
  end
  if is_plain and fn and #fn <= NAME_BYTES and #(args or '') <= args_cap then return fn, args or '', queue, created end
  local size = 0
  for i = 1, #all do size = size + #all[i] end
  return nil, size
end

-- An idle worker's claim: the one plain task that its wait has brought, and nothing else in sight. It comes first and makes
-- hardly any function: somebody waits for it, and a script that runs cold pays for each.
local id = wait and limit > 0 and queue_count == 1 and not is_repeated
  and redis.pcall('LMOVE', app .. first_queue .. ':arrived', app .. first_queue .. ':executing', 'RIGHT', 'LEFT')
if type(id) == 'string' then
  local stem = app .. first_queue
  local key, arrived, executing = app .. 'task:' .. id, stem .. ':arrived', stem .. ':executing'
  local is_alone = #id <= NAME_BYTES and redis.call('EXISTS', arrived, stem .. ':pending', stem .. ':scheduled',
    stem .. ':waiting', stem .. ':parked', cutoffs_key) == 0
  local fn, args, queue, created
  if is_alone then fn, args, queue, created = read_plain(key) end
  if fn then
    local claim = mark .. '1'
    redis.call('HSET', own, counter, ARGV[3])
    redis.call('HSET', key, 'state', 'executing', 'worker', worker, 'claim', claim, 'executing-created', now_text(),
      'attempts', '1')
    -- What submit wrote names its queue and has no lifetime; plain producers may have given one.
    if not (queue == first_queue and created) then
      redis.call('HSET', key, 'queue', first_queue)
      redis.call('PERSIST', key)
    end
    redis.call('HSET', held, id, claim .. ' ' .. first_queue)
    return {'claimed', 1, {3, id, fn, args}, {}, mark, first_queue}
  end
  redis.call('LMOVE', executing, arrived, 'LEFT', 'RIGHT')
end

-- Parts: keys count numbers shown calls held letgo ending
${keys}${count}${numbers}${shown}${calls}${held}${letgo}${ending}local function write_taken(key, queue, claim, attempts, is_submitted)
  redis.call('HSET', key, 'state', 'executing', 'worker', worker, 'claim', claim, 'executing-created', now_text(),
    'attempts', attempts)
  -- What submit wrote names its queue and has no lifetime; plain producers may have given one.
  if not is_submitted then
    redis.call('HSET', key, 'queue', queue)
    redis.call('PERSIST', key)
  end
end

-- Most of the time none of these is there: asked in one call, for each costs most when little is to do.
local function is_simple(queue)
  return redis.call('EXISTS', arrived_key(queue), scheduled_key(queue), app .. queue .. ':waiting', app .. queue .. ':parked',
    app .. queue .. ':quarantine', cutoffs_key) == 0
end

local function text(number) return string.format('%d', number) end
local function short(value) return value and #value <= NAME_BYTES and value end

-- The tasks of the reply stand in one flat list: Redis asks of each table of a reply seven times what kind it is. Most have
-- nothing of what may come last and end before it.
local told = {}
local function tell(id, queue, claim, fn, args, attempts, lost, time, memory, retries, delay, backoff, context, user, retried)
  context, user = short(context), short(user)
  local size = attempts == '1' and lost == '0' and 5 or 7
  if time or memory or retries or delay or backoff or context or user or retried then size = 15 end
  local task = {id, queue, claim, fn, args, attempts, lost, time, memory, retries, delay, backoff, context, user, retried}
  told[#told + 1] = size
  for i = 1, size do told[#told + 1] = task[i] or false end
end

if is_repeated then
  local claims, all = {}, redis.call('HGETALL', held)
  for i = 1, #all, 2 do
    local claim, queue = parse_held(all[i + 1])
    if claim and string.sub(claim, 1, #mark) == mark then claims[#claims + 1] = {all[i], queue, claim} end
  end
  table.sort(claims, function(a, b) return tonumber(string.match(a[3], '%d+$')) < tonumber(string.match(b[3], '%d+$')) end)
  for i = 1, #claims do
    local id, queue, claim = unpack(claims[i])
    local task = redis.pcall('HMGET', task_key(id), 'function', 'attempts', 'lost', 'time-limit', 'memory-limit', 'retries',
      'retry-delay', 'retry-backoff', 'traceparent', 'username', 'retried', 'args')
    if task[1] then
      tell(id, queue, claim, task[1], task[12] or '', text(count(task[2])), text(count(task[3])), unpack(task, 4, 11))
    end
  end
  return {'claimed', 0, told, {}, mark, first_queue}
end

-- The first write: at maxmemory nothing has happened yet.
redis.call('HSET', own, counter, ARGV[3])

-- A task that can be taken is written as soon as it was read. Of everything else is decided while reading, and done after:
-- every entry of \`todo\` is {do, id, queue, ...}.
local todo, problems, looked, suspect = {}, {}, 0, me[3]
local taken, holds, pushed = 0, {}, {}
if suspect and (suspect == '' or redis.call('HEXISTS', held, suspect) == 0) then suspect = false end
local seen = {}

-- Most of the time these are empty: asked once a call, not once a task.
local scheduled_any, waiting_any = {}, {}
local cutoffs = false

-- Was all that is as old as this task cancelled at once? created: when it was submitted, as it says itself.
local function is_cut(queue, fn, created)
  if not cutoffs or not created or #created ~= 27 then return false end
  local function before(field)
    if cutoffs[field] == nil then cutoffs[field] = redis.call('HGET', cutoffs_key, field) end
    return cutoffs[field] and created <= cutoffs[field]
  end
  return before('queue:' .. queue) or before('function:' .. fn)
end

-- What becomes of an entry that is not plainly a task to take: "take" all the same, or what decide() is told. It is one
-- function because it is rare: a script that runs cold pays for all that it makes.
local function unusual(queue, id, task, size)
  local MOMENT = '^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%d%d%d%dZ$'
  local LIMITS = {{'time-limit', 9, decimal}, {'memory-limit', 10, whole}, {'retries', 11, whole}, {'retry-delay', 12, decimal},
    {'retry-backoff', 13, decimal}}

  -- The reason why a task can not be run, with its code, or nil.
  local function refusal(queue, task)
    if task[20] and not task[17] then return 'cancelled', 'cancelled at ' .. shown(task[20]) .. ', before it ran' end
    if not task[1] then return 'bad-task', 'function: missing; HSET the hash with a function before the LPUSH' end
    if is_cut(queue, task[1], task[21]) then return 'cancelled', 'cancelled before it ran, with all of its queue or function' end
    if #task[1] > NAME_BYTES then return 'bad-task', 'function: ' .. #task[1] .. ' bytes, at most ' .. NAME_BYTES end
    local limited = task[9] or task[10] or task[11] or task[12] or task[13]
    for i = 1, limited and #LIMITS or 0 do
      local name, value, good = LIMITS[i][1], task[LIMITS[i][2]], LIMITS[i][3]
      if value and not good(value) then
        return 'bad-task', name .. ': not a ' .. (good == whole and 'whole' or 'decimal') .. ' number: ' .. shown(value)
      end
    end
    local ttl, expires = task[7], task[8]
    if ttl and not is_lifetime(ttl) then
      return 'bad-task', 'result-ttl: neither seconds nor keep: ' .. shown(ttl)
    end
    if expires and not string.match(expires, MOMENT) then
      return 'bad-task', 'expires: not a time like 2015-12-05T00:19:01.834909Z: ' .. shown(expires)
    end
    if expires and count(task[5]) == 0 and expires <= now_text() then
      return 'expired', 'expired at ' .. expires .. ', before a worker was free'
    end
  end

  local function is_early(queue, id)
    if not scheduled_any[queue] then return false end
    local due = redis.call('ZSCORE', scheduled_key(queue), id)
    return due and tonumber(due) > now
  end

  -- A pending entry whose task is running: a duplicate if a live worker holds it, or if a foreign one may (no claim, and
  -- it stands in executing).
  local function runs_elsewhere(task, queue, id)
    if held_by_live(task[3], id) then return true end
    return not task[4] and redis.call('LPOS', executing_key(queue), id) ~= false
  end

  local function no_hash(queue, id)
    local waiting = app .. queue .. ':waiting'
    local first = redis.call('ZSCORE', waiting, id)
    if first and now - tonumber(first) >= HASH_GRACE then return 'quarantine' end
    if not first and redis.call('ZCOUNT', waiting, now - WAITING_OLD, '+inf') >= WAITING_KEPT then return 'quarantine' end
    return 'wait'
  end

  local state = task[2] or 'pending'
  if not task[1] and not task[2] and size == 0 and redis.call('EXISTS', task_key(id)) == 0 then return no_hash(queue, id) end
  if state == 'finished' then return 'over', task[7] end
  if (state == 'executing' and runs_elsewhere(task, queue, id)) or is_early(queue, id) then return 'drop' end
  local code, reason = refusal(queue, task)
  if not code and state ~= 'pending' and state ~= 'executing' then
    code, reason = 'bad-task', 'state: neither pending, executing nor finished: ' .. shown(state)
  elseif not code and size > args_cap then
    code, reason = 'bad-args', 'args: ' .. size .. ' bytes, at most ' .. args_cap
  end
  if code then return 'fail', code, reason, task[7], task[14] end
  if task[6] and count(task[6]) >= LOSSES_ALONE then
    if suspect and suspect ~= id then return 'later' end
    suspect = id
  end
  return 'take'
end

local function decide(what, id, queue, ...) todo[#todo + 1] = {what, id, queue, ...} end

-- What is written once for all tasks of this call; the claim of this one. Digit by digit, for Lua spells a whole number as
-- slowly as it writes a field.
local DIGITS, tens = {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9'}, mark
local function next_claim(queue, id)
  taken = taken + 1
  local unit = taken % 10
  if unit == 0 then tens = mark .. taken / 10 end
  local claim = tens .. DIGITS[unit + 1]
  holds[2 * taken - 1], holds[2 * taken] = id, claim .. ' ' .. queue
  local list = pushed[queue] or {}
  list[#list + 1] = id
  pushed[queue] = list
  return claim
end

local function take_plain(key, queue, id, fn, args, is_submitted)
  bytes_left = bytes_left - #args
  local claim = next_claim(queue, id)
  write_taken(key, queue, claim, '1', is_submitted)
  if waiting_any[queue] then redis.call('ZREM', app .. queue .. ':waiting', id) end
  if queue ~= first_queue then return tell(id, queue, claim, fn, args, '1', '0') end
  local n = #told
  told[n + 1], told[n + 2], told[n + 3], told[n + 4] = 3, id, fn, args
end

-- task: as look() has read it.
local function take(key, queue, id, task, size)
  bytes_left = bytes_left - size
  local claim, attempts = next_claim(queue, id), task[5] and text(count(task[5]) + 1) or '1'
  write_taken(key, queue, claim, attempts)
  -- A plain producer may HSET a finished task to pending: the end of one run is not the end of the next.
  if task[17] then
    redis.call('HDEL', key, 'result', 'result-value', 'finished-created', 'error-code', 'error-reason', 'error-exception',
      'cancelled-created')
  end
  if waiting_any[queue] then redis.call('ZREM', app .. queue .. ':waiting', id) end
  tell(id, queue, claim, task[1], task[16] or '', attempts, task[6] and text(count(task[6])) or '0',
    task[9], task[10], task[11], task[12], task[13], task[15], task[18], task[19])
end

-- Was it taken by this very call?
local function is_mine(id, claim)
  local n = string.sub(claim, 1, #mark) == mark and tonumber(string.sub(claim, #mark + 1))
  return n and n % 1 == 0 and holds[2 * n - 1] == id
end

-- Judges one entry.
local function look(queue, id)
  looked = looked + 1
  if seen[id] then return decide('twin', id, queue) end
  local key = task_key(id)
  if #id <= NAME_BYTES and not scheduled_any[queue] then
    local fn, args, home, created = read_plain(key)
    if fn and not (cutoffs and is_cut(queue, fn, created)) then
      return take_plain(key, queue, id, fn, args, home == queue and created)
    end
    if not fn then bytes_left = bytes_left - args end   -- in vain, but read
  end
  seen[id] = true   -- a plain one needs no mark: its own claim shows that it was taken
  if #id > NAME_BYTES then return decide('quarantine', id, queue) end
  local size = redis.pcall('HSTRLEN', key, 'args')
  if is_error(size) then return decide('quarantine', id, queue) end
  local task = redis.call('HMGET', key, 'function', 'state', 'worker', 'claim', 'attempts', 'lost', 'result-ttl', 'expires',
    'time-limit', 'memory-limit', 'retries', 'retry-delay', 'retry-backoff', 'reply-to', 'traceparent',
    size <= args_cap and 'args' or 'state', 'result', 'username', 'retried', 'cancelled-created', 'pending-created')
  if task[4] and is_mine(id, task[4]) then
    bytes_left = bytes_left - size   -- they were read once more
    return decide('twin', id, queue)
  end
  local usual = task[1] and #task[1] <= NAME_BYTES and (not task[2] or task[2] == 'pending') and size <= args_cap
    and not (task[6] or task[7] or task[8] or task[9] or task[10] or task[11] or task[12] or task[13] or task[20] or cutoffs
    or scheduled_any[queue])
  if not usual then
    local what, code, reason, ttl, reply_to = unusual(queue, id, task, size)
    if what ~= 'take' then return decide(what, id, queue, code, reason, ttl, reply_to) end
  end
  take(key, queue, id, task, size)
end

-- One key of a wrong type takes its queue out of this call, and no other.
local function keep_out(queue, key, kind)
  if fits(key, kind) then return false end
  problems[#problems + 1] = {queue, key .. ' is a ' .. redis.call('TYPE', key).ok .. ', not a ' .. kind}
  return true
end

local has_more = {}
local function usable(queue)
  if is_simple(queue) then return true end
  local scheduled, waiting = scheduled_key(queue), app .. queue .. ':waiting'
  local parked, dropped = app .. queue .. ':parked', app .. queue .. ':quarantine'
  if keep_out(queue, scheduled, 'zset') or keep_out(queue, waiting, 'zset') or keep_out(queue, parked, 'zset')
    or keep_out(queue, dropped, 'list') or keep_out(queue, arrived_key(queue), 'list') then
    return false
  end
  cutoffs = cutoffs or (redis.call('TYPE', cutoffs_key).ok == 'hash' and {})
  has_more[queue] = true
  scheduled_any[queue] = redis.call('ZCARD', scheduled) > 0
  waiting_any[queue] = redis.call('ZCARD', waiting) > 0
  return true
end

local queues, usable_queues = {}, {}
for i = 1, queue_count do
  local queue = ARGV[9 + i]
  -- A queue named twice is looked at once: its entries would be counted off twice.
  if usable_queues[queue] == nil then
    usable_queues[queue] = usable(queue)
    if usable_queues[queue] then queues[#queues + 1] = queue end
  end
end

local pops, unparks = {}, {}
-- Looks at entries from the right end of a list while there is room; how many they were.
local function look_along(queue, list)
  local wanted = limit - taken
  if wanted <= 0 then return 0 end
  local ids, count_off = redis.call('LRANGE', list, -wanted, -1), 0
  for k = #ids, 1, -1 do
    if bytes_left <= 0 then break end
    look(queue, ids[k])
    count_off = count_off + 1
  end
  return count_off
end

local function look_at_parked(queue)
  if not has_more[queue] then return end
  local functions = redis.call('ZRANGE', app .. queue .. ':parked', 0, PARKED_NAMES - 1)
  for i = 1, #functions do
    local list = app .. queue .. ':parked:' .. functions[i]
    if redis.pcall('HEXISTS', app .. 'catalog:' .. me[2], functions[i]) == 1 and fits(list, 'list') then
      unparks[#unparks + 1] = {list, look_along(queue, list), app .. queue .. ':parked', functions[i]}
    end
  end
end

local function look_at_list(queue, list)
  local popped = look_along(queue, list)
  if popped > 0 then pops[#pops + 1] = {list, popped} end
end

local function look_at(queue)
  local pending, executing = pending_key(queue), executing_key(queue)
  local length = redis.pcall('LLEN', pending)
  if is_error(length) and keep_out(queue, pending, 'list') then return end
  if length == 0 and not has_more[queue] then return end
  if keep_out(queue, executing, 'list') then return end
  -- First what a wait has brought: an idle worker came for it, and what is parked has been told to all.
  if has_more[queue] then look_at_list(queue, arrived_key(queue)) end
  look_at_parked(queue)
  look_at_list(queue, pending)
end

for i = 1, #queues do
  if taken >= limit or bytes_left <= 0 then break end
  look_at(queues[i])
end

if (suspect or '') ~= (me[3] or '') then redis.call('HSET', own, 'suspect', suspect or '') end

-- Rare, so what it needs is made only then: a cold script's price is what it makes.
if #todo > 0 then
  local act = {}
  function act.drop() end
  act.twin = act.drop   -- what becomes of its first entry is done there
  -- A task that was cancelled while it waited: nobody asks for its end in this list any more.
  function act.over(id, queue, ttl)
    if ttl ~= 'keep' and redis.call('PTTL', task_key(id)) == -1 then
      redis.call('PEXPIRE', task_key(id), math.floor((ttl and decimal(ttl) and tonumber(ttl) or kept[1]) * 1000))
    end
  end
  function act.quarantine(id, queue) quarantine(queue, id) end
  function act.wait(id, queue)
    redis.call('ZREMRANGEBYSCORE', app .. queue .. ':waiting', '-inf', now - WAITING_OLD)
    redis.call('ZADD', app .. queue .. ':waiting', 'NX', now, id)
    redis.call('ZADD', scheduled_key(queue), now + HASH_LOOK, id)
  end
  function act.later(id, queue) redis.call('ZADD', scheduled_key(queue), now + 1000, id) end
  function act.fail(id, queue, code, reason, ttl, reply_to)
    -- The claim of an earlier run is no longer the one that ended it.
    redis.call('HDEL', task_key(id), 'claim', 'result-value', 'error-exception')
    settle(id, queue, ttl, reply_to, kept, 'result', 'failed', 'error-code', code, 'error-reason', reason, 'queue', queue)
  end

  for i = 1, #todo do
    local what, id, queue = unpack(todo[i], 1, 3)
    if what ~= 'wait' and what ~= 'twin' and waiting_any[queue] then redis.call('ZREM', app .. queue .. ':waiting', id) end
    act[what](id, queue, unpack(todo[i], 4, 7))
  end
end

if taken > 0 then redis.call('HSET', held, unpack(holds)) end
for queue, ids in pairs(pushed) do redis.call('LPUSH', executing_key(queue), unpack(ids)) end
for i = 1, #pops do redis.call('LTRIM', pops[i][1], 0, -pops[i][2] - 1) end
for i = 1, #unparks do
  redis.call('LTRIM', unparks[i][1], 0, -unparks[i][2] - 1)
  if redis.call('EXISTS', unparks[i][1]) == 0 then redis.call('ZREM', unparks[i][3], unparks[i][4]) end
end
-- Who asked for more than was looked at takes the queues for empty. When it was the bytes that came to an end, they are not.
if bytes_left <= 0 then looked = math.max(looked, limit) end
return {'claimed', looked, told, problems, mark, first_queue}
`,
  },
  drop: {
    sha: 'e093bdc6914f03bd7c364d46c842485d499a68da',
    source: `-- drop: forgets failed tasks, with all that is left of them. Touches no task that waits, runs or succeeded.
-- Parts: base keys
${base}${keys}-- ARGV: now, then ids.
-- Replies: one word per id: "dropped" | "unknown" (there is no such task) | "not-failed" (it succeeded, was cancelled, or is not
--          over) | "wrong-type" (its key is no hash).
-- Promise: hash, output and the entry in \`failed\` go in one step; safe to send again; works at maxmemory.
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
`,
  },
  finish: {
    sha: 'a03ff2feccaa85b8a863c540a944d4cb38840ba6',
    source: `-- finish: executing -> finished. Writes the ends of many runs; each is fenced by its claim.
-- Parts: base time
${base}${time}-- ARGV: now, worker, result-ttl, failed-ttl (seconds), then "values" and for each run, all of which succeeded: id, claim,
--       result-value. Or "fields" and for each run: id, claim, count of fields, then that many field, value pairs, \`result\`
--       first.
-- Replies: one word per run: "finished" | "already" (this very end stands there: a repeated call) |
--          "stale" (the worker no longer holds this claim; nothing was written).
-- Promise: result, list, held, lifetime and message in one step; safe to send again; works at maxmemory. A hash that was
--          deleted while its task ran is written anew, with its lifetime, if the worker still holds the claim.
-- Vectors: commands/finish.json
local held, own = app .. 'held:' .. ARGV[2], ARGV[2] .. '/'

-- The end of a run that succeeded, of a task without a lifetime of its own; told as in ending.lua.
local lifetime = ARGV[3] ~= 'keep' and string.format('%d', ARGV[3] * 1000)
local stem, results = app .. 'task:', app .. 'results'
local function succeed(key, value, reply_to)
  redis.call('HSET', key, 'state', 'finished', 'finished-created', now_text(), 'result', 'successful', 'result-value', value)
  redis.call('PEXPIRE', key, lifetime)
  redis.pcall('PUBLISH', results, key)
  if reply_to and #reply_to < 256 and string.sub(reply_to, 1, #app) == app then
    local is_told = #value <= 4096 and not string.find(value, '\\n', 1, true)
    redis.pcall('PUBLISH', reply_to, key .. '\\n' .. (is_told and value or ''))
  end
end

-- Most calls of a worker that is not busy end one run, with a result and no wish. That comes first and makes hardly any
-- function: somebody waits for it, and a script that runs cold pays for each.
local are_values = ARGV[5] == 'values'
if #ARGV == 8 and are_values and lifetime then
  local id, claim, key = ARGV[6], ARGV[7], stem .. ARGV[6]
  local task = redis.pcall('HMGET', key, 'claim', 'state', 'queue', 'result-ttl', 'reply-to')
  if task[1] == claim and task[2] == 'executing' and task[3] and not task[4] and string.find(claim, own, 1, true) == 1 then
    redis.call('HDEL', held, id)  -- the first write, so it lets the rest go on at maxmemory
    redis.pcall('LREM', app .. task[3] .. ':executing', -1, id)
    succeed(key, ARGV[8], task[5])
    return {'finished'}
  end
end

-- A worker that is busy ends many at once, most times all of one queue, in the order in which they were claimed, and none
-- with a wish. Redis bounds it then, so these are done in one go. Nothing is written before all are known to be so.
local usual = #ARGV > 8 and are_values and lifetime and #ARGV % 3 == 2 and (#ARGV - 5) / 3 or 0
local queue = usual > 0 and redis.pcall('HGET', stem .. ARGV[6], 'queue')
local executing = type(queue) == 'string' and app .. queue .. ':executing'
local entries = executing and redis.pcall('LRANGE', executing, -usual, -1) or {}
for n = 1, usual do
  if entries[usual + 1 - n] ~= ARGV[3 * n + 3] then usual = 0 end
end
local keys, tasks, gone = {}, {}, {}
for n = 1, usual do
  local id, claim = ARGV[3 * n + 3], ARGV[3 * n + 4]
  local key = stem .. id
  local task = redis.pcall('HMGET', key, 'claim', 'state', 'queue', 'result-ttl', 'reply-to')
  if task[1] ~= claim or task[2] ~= 'executing' or task[3] ~= queue or task[4] or string.find(claim, own, 1, true) ~= 1 then
    usual = 0
    break
  end
  keys[n], tasks[n], gone[n] = key, task, id
end
-- What is named twice goes the other way too.
if usual > 0 and redis.call('HDEL', held, unpack(gone)) == usual then
  redis.call('LTRIM', executing, 0, -usual - 1)
  local words = {}
  for n = 1, usual do
    succeed(keys[n], ARGV[3 * n + 5], tasks[n][5])
    words[n] = 'finished'
  end
  return words
end

-- Parts: keys numbers calls held ending
${keys}${numbers}${calls}${held}${ending}local kept = {ARGV[3], tonumber(ARGV[4])}

-- Where each run begins among the arguments.
local starts, at, n = {}, 6, 0
while at <= #ARGV do
  n = n + 1
  starts[n] = at
  at = at + (are_values and 3 or 3 + 2 * ARGV[at + 2])
end
all_read(at)

-- What becomes of the hash: field, value, ...
local function fields_of(i)
  local from = starts[i] + 3
  if are_values then return 'result', 'successful', 'result-value', ARGV[from - 1] end
  return unpack(ARGV, from, from - 1 + 2 * ARGV[from - 1])
end

-- The queue from which the worker holds this run, or nothing. Most hashes say so; of one that is gone or has been changed,
-- or was claimed under another name, \`held\` knows.
local function queue_held(task, id, claim)
  if task[1] == claim and task[2] == 'executing' and task[3] and string.find(claim, own, 1, true) == 1 then return task[3] end
  local hold = redis.call('HGET', held, id)
  local claimed, queue = parse_held(hold or '')
  return claimed == claim and queue
end

local words, gone = {}, {}
local tasks = {}    -- as read, where something is to be written; the queue from which each is held, in place of what it says
local listed = {}   -- id -> the queue in whose executing list it stands
for i = 1, n do
  local id, claim = ARGV[starts[i]], ARGV[starts[i] + 1]
  local task = redis.pcall('HMGET', task_key(id), 'claim', 'state', 'queue', 'result-ttl', 'reply-to')
  local queue = not listed[id] and queue_held(task, id, claim)
  if queue then
    task[3], listed[id], tasks[i] = queue, queue, task
    gone[#gone + 1] = id
    words[i] = 'finished'
  else
    words[i] = (task[1] == claim and task[2] == 'finished') and 'already' or 'stale'
  end
end
if #gone == 0 then return words end

redis.call('HDEL', held, unpack(gone))

-- Runs end about in the order in which they were claimed, so most of their entries stand at the right end of the list: all
-- of these go by one call, where each alone costs one.
if #gone > 1 then
  local queue, together = listed[gone[1]], 0
  local entries = redis.pcall('LRANGE', executing_key(queue), -#gone, -1)
  for k = #entries, 1, -1 do
    if listed[entries[k]] ~= queue then break end
    listed[entries[k]] = nil
    together = together + 1
  end
  if together > 0 then redis.call('LTRIM', executing_key(queue), 0, -together - 1) end
end

for i = 1, n do
  local id, claim, task = ARGV[starts[i]], ARGV[starts[i] + 1], tasks[i]
  if task then
    local stands = task[1] == claim and 'mine' or standing(task, claim)
    if listed[id] then redis.pcall('LREM', executing_key(task[3]), -1, id) end
    if stands == 'mine' and are_values and lifetime and not task[4] then
      succeed(task_key(id), ARGV[starts[i] + 2], task[5])
    elseif stands == 'mine' or stands == 'gone' then
      settle(id, task[3], task[4], task[5], kept, fields_of(i))
    else
      words[i] = 'stale'
      if stands == 'spoilt' then quarantine(task[3], id) end
    end
  end
end
return words
`,
  },
  note: {
    sha: '44df989a8ed0d0b7e447257b6b123a2b2fa08e20',
    source: `-- note: keeps what running tasks tell: how far they are, and what they print. Changes no state.
-- Parts: base keys calls held
${base}${keys}${calls}${held}-- ARGV: now, worker, keep (seconds that output stays after the last of it), output-cap (bytes kept of a task), then for each
--       task: id, claim, progress (JSON; "" for none), count of entries, then for each entry: stream ("stdout", "stderr",
--       "log"), time (a timestamp), text.
-- Replies: one word per task: "noted" | "stale" (the worker does not hold this claim, or the task has another by now: nothing
--          was written).
-- Promise: of the output the newest bytes stay; a deleted hash is not made anew; nothing is published; safe to send
--          again, as an entry with its time stands there once. Refused whole at maxmemory.
-- Vectors: commands/note.json
local worker, keep, cap = ARGV[2], tonumber(ARGV[3]) * 1000, tonumber(ARGV[4])
local held = held_key(worker)

local ENTRIES = 1000   -- of a task, about

-- Where its output ends, as the bytes it had so far: that is the first half of an entry's id. Nil: it takes none of this,
-- since the last of it stands there already, or somebody spoilt it. at: the stream, time and text of that last one.
local function end_of(log, at)
  if not fits(log, 'stream') then return nil end
  local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  if not last then return 0, 0 end
  local there = last[2]
  if there[2] == ARGV[at] and there[4] == ARGV[at + 1] and there[6] == string.sub(ARGV[at + 2], -cap) then return nil end
  local bytes, nth = string.match(last[1], '^(%d+)-(%d+)$')
  bytes, nth = tonumber(bytes), tonumber(nth)
  if bytes < 1e15 and nth < 1e15 then return bytes, nth end
end

local words, notes = {}, {}
local at = 5
while at <= #ARGV do
  local id, claim, entries = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 3])
  local value = redis.call('HGET', held, id)
  local word = 'stale'
  if value and parse_held(value) == claim then
    local stands = standing(redis.pcall('HMGET', task_key(id), 'claim', 'state'), claim)
    if stands ~= 'passed' then
      word = 'noted'
      notes[#notes + 1] = {id, stands == 'mine' and ARGV[at + 2] or '', at + 4, entries}
    end
  end
  words[#words + 1] = word
  at = at + 4 + 3 * entries
end
all_read(at)

local function add_output(log, first, entries)
  local bytes, nth = end_of(log, first + 3 * (entries - 1))
  if not bytes then return end
  for at = first, first + 3 * (entries - 1), 3 do
    local text = ARGV[at + 2]
    bytes, nth = bytes + #text, #text == 0 and nth + 1 or 0
    redis.call('XADD', log, 'MAXLEN', '~', ENTRIES, string.format('%.0f-%.0f', bytes, nth), 's', ARGV[at], 't', ARGV[at + 1],
      'm', string.sub(text, -cap))
  end
  redis.call('XTRIM', log, 'MINID', string.format('%.0f-0', math.max(0, bytes - cap + 1)))
  redis.call('PEXPIRE', log, keep)
end

for i = 1, #notes do
  local id, progress, first, entries = unpack(notes[i])
  if progress ~= '' then redis.call('HSET', task_key(id), 'progress', progress) end
  if entries > 0 and cap > 0 then add_output(app .. 'log:' .. id, first, entries) end
end
return words
`,
  },
  park: {
    sha: 'dee98541a46f7c23d8c5ffd6ed5c306791f44868',
    source: `-- park: executing -> pending. Sets aside tasks whose function this worker lacks, for one that serves it.
-- Parts: base keys time count numbers calls held letgo served ending
${base}${keys}${time}${count}${numbers}${calls}${held}${letgo}${served}${ending}-- ARGV: now, worker, grace (seconds an unknown function may stay unserved), then for each task: id, claim, function.
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
`,
  },
  promote: {
    sha: '935cdc692d29c656d0c47957731e3d4ceb10d202',
    source: `-- promote: scheduled -> pending. Moves due tasks to their queue, where they wait like everyone; a recovered one goes to the front.
-- Parts: base keys calls served
${base}${keys}${calls}${served}-- ARGV: now, interval (ms: less after the last call it does nothing), limit (ids a queue and call).
-- Replies: {"early"} | {"promoted", how many, ms until the next is due (at most a day) or -1, parked tasks set free,
--          ids in \`cancel\`}.
-- Promise: an id leaves \`scheduled\` and enters pending in one step; parked tasks that no live worker serves any longer go
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
`,
  },
  recover: {
    sha: 'c48cd10caf40f004480df6e4e941d6476edf5e80',
    source: `-- recover: executing -> pending or failed. Takes back what dead workers held and what nobody holds.
-- Parts: base keys time count numbers calls held letgo sealing ending
${base}${keys}${time}${count}${numbers}${calls}${held}${letgo}${sealing}${ending}-- ARGV: now, interval (ms: less after the last call it does nothing), losses (that fail a task), result-ttl, failed-ttl (seconds).
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
`,
  },
  release: {
    sha: 'b3fb0b1e308c57cee0045f8cd341b6d8456247d6',
    source: `-- release: executing -> pending. Gives back tasks of one worker: to the front at once, or later.
-- Parts: base keys calls delay held letgo
${base}${keys}${calls}${delay}${held}${letgo}-- ARGV: now, worker, then for each task, in the order they were claimed: id, claim,
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
`,
  },
  requeue: {
    sha: '545d1f2d8c45c453a156728dceab74b4e00c3114',
    source: `-- requeue: finished -> pending. Lets failed tasks run once more, by hand, as if they were new.
-- Parts: base keys time calls
${base}${keys}${time}${calls}-- ARGV: now, then ids.
-- Replies: one word per id: "requeued" | "unknown" (there is no such task) | "not-failed" (it succeeded, or is not over) |
--          "wrong-type" (its key is no hash, or its queue no list).
-- Promise: what was asked for stays, what became of it goes, with an \`expires\` that is over; safe to send again. Refused whole
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
`,
  },
  retry: {
    sha: '1f03c613f81bde48377c89c7d881c018dc2b30cd',
    source: `-- retry: executing -> pending. Puts off tasks whose run failed, to run them again.
-- Parts: base keys time calls count delay held letgo
${base}${keys}${time}${calls}${count}${delay}${held}${letgo}-- ARGV: now, worker, then for each task: id, claim, delay (seconds), failure (a JSON object with attempt, code and reason; ""
--       notes none).
-- Replies: one word per task: "retried" | "stale" (the worker does not hold this claim, or the task has another by now) |
--          "wrong-type" (\`scheduled\` of its queue is of another type; it is still held).
-- Promise: counted in \`retried\`, never as a loss; the last failures stay in the hash; one that somebody asked to cancel is due
--          at once, for claim to end it; safe to send again; works at maxmemory.
-- Vectors: commands/retry.json
local worker = ARGV[2]
local held = held_key(worker)

local FAILURES_KEPT = 10        -- of a task, newest last
local FAILURES_BYTES = 262144   -- of the field; a longer one is none of this script's

-- Members are written one by one: the encoder knows no order, and what a stranger put beside them ends here.
local function quoted(text) return (string.gsub(cjson.encode(text), '\\\\/', '/')) end
local function failure_text(failure, at)
  local attempt, members = failure.attempt, {}
  if type(attempt) == 'number' and attempt >= 0 and attempt < 1e15 then
    members[1] = '"attempt":' .. string.format('%d', attempt)
  end
  local rest = {{'at', at}, {'code', failure.code}, {'reason', failure.reason}}
  for i = 1, #rest do
    local value = rest[i][2]
    if type(value) == 'string' then members[#members + 1] = '"' .. rest[i][1] .. '":' .. quoted(value) end
  end
  return '{' .. table.concat(members, ',') .. '}'
end

local function decoded(json)
  local is_json, value = pcall(cjson.decode, json)
  return is_json and type(value) == 'table' and value or {}
end

-- The field \`failures\` with one more. earlier: as it stands there, which a stranger may have spoilt.
local function failures_with(earlier, failure)
  local all = earlier and #earlier <= FAILURES_BYTES and decoded(earlier) or {}
  local texts = {}
  for i = math.max(1, #all - FAILURES_KEPT + 2), #all do
    if type(all[i]) == 'table' then texts[#texts + 1] = failure_text(all[i], all[i].at) end
  end
  texts[#texts + 1] = failure_text(decoded(failure), now_text())
  return '[' .. table.concat(texts, ',') .. ']'
end

local words, backs, done = {}, {}, {}
local at = 3
while at <= #ARGV do
  local id, claim, due = ARGV[at], ARGV[at + 1], due_in(ARGV[at + 2])
  local value = redis.call('HGET', held, id)
  local claimed, queue
  if value and not done[id] then claimed, queue = parse_held(value) end
  local word = 'stale'
  if claimed == claim then
    local task = redis.pcall('HMGET', task_key(id), 'claim', 'state', 'retried', 'failures', 'cancelled-created')
    local stands = standing(task, claim)
    if stands ~= 'passed' then word = fits(scheduled_key(queue), 'zset') and 'retried' or 'wrong-type' end
    if word ~= 'wrong-type' then
      done[id] = true
      backs[#backs + 1] = {id, queue, task[5] and now or due, stands, task, ARGV[at + 3]}
    end
  end
  words[#words + 1] = word
  at = at + 4
end
all_read(at)
if #backs == 0 then return words end

allow_at_maxmemory()
for i = 1, #backs do
  local id, queue, due, stands, task, failure = unpack(backs[i])
  let_go(worker, id, queue)
  if stands == 'mine' then
    write_pending(id, true)
    redis.call('HSET', task_key(id), 'retried', count(task[3] or '') + 1)
    if failure ~= '' then redis.call('HSET', task_key(id), 'failures', failures_with(task[4], failure)) end
    redis.call('HDEL', task_key(id), 'progress')
  end
  -- An id without its hash goes back too: claim knows what to do with it.
  if stands ~= 'passed' then redis.call('ZADD', scheduled_key(queue), due, id) end
end
return words
`,
  },
  seal: {
    sha: '2a0098c7b62f7c7313d7d29241da2df0fad7ede1',
    source: `-- seal: takes workers for dead that are known to be gone, because their host says so. What they held recover takes back.
-- Parts: base keys time calls sealing
${base}${keys}${time}${calls}${sealing}-- ARGV: now, then ids of workers.
-- Replies: one word per worker: "sealed" | "already" | "unknown" (it is not registered).
-- Promise: as after the end of a lease, but at once: a sealed worker claims nothing more, and what is taken from it, it can no
--          longer end; safe to send again; works at maxmemory.
-- Vectors: commands/seal.json
local words, seen = {}, {}
for i = 2, #ARGV do
  local score = redis.call('ZSCORE', workers_key, ARGV[i])
  words[#words + 1] = not score and 'unknown' or (tonumber(score) < 0 or seen[ARGV[i]]) and 'already' or 'sealed'
  seen[ARGV[i]] = true
end

allow_at_maxmemory()
for i = 1, #words do
  if words[i] == 'sealed' then seal(ARGV[i + 1]) end
end
return words
`,
  },
  submit: {
    sha: 'fac586a5c970f1d00e98ba3ec60e6d64b942f127',
    source: `-- submit: nothing -> pending. Puts tasks into one queue: hash and list together or not at all.
-- Parts: base time
${base}${time}-- ARGV: now, queue, then for each task: id, function, args, delay (seconds; "": none; "front": it is the next one), count of
--       extra fields, then that many field, value pairs.
-- Replies: one word per task: "created" | "exists" (the same task is there already; nothing was written) |
--          "conflict" (the id is taken by another function or other args) | "wrong-type" (its key is no hash).
-- Promise: the id is the idempotency key as long as its hash lives, so this may be sent twice; a half-made hash (an HSET
--          whose LPUSH never came) is completed. Refused whole at maxmemory.
-- Vectors: commands/submit.json
local queue = ARGV[2]

-- Most calls bring one new task, for at once. That comes first and makes no function but the clock's, for a script that runs
-- cold pays for each: an idle system is as quick as this.
if ARGV[6] == '' and #ARGV == 7 + 2 * ARGV[7] and redis.call('EXISTS', app .. 'task:' .. ARGV[3]) == 0 then
  redis.call('LPUSH', app .. queue .. ':pending', ARGV[3])
  redis.call('HSET', app .. 'task:' .. ARGV[3], 'function', ARGV[4], 'state', 'pending', 'args', ARGV[5],
    'pending-created', now_text(), 'queue', queue, unpack(ARGV, 8))
  redis.pcall('SADD', app .. 'queues', queue)
  return {'created'}
end

-- Parts: keys calls delay
${keys}${calls}${delay}local words, fresh, seen, due = {}, {}, {}, {}  -- seen: id -> where its task stands in ARGV; due: the same -> ms
local ids, first_ids, some_later = {}, {}, false
local half_made = {}   -- where its task stands in ARGV -> was there a hash before?

local function same(there, wanted) return not there or there == wanted end

local function compare(key, fn, args)
  local there = redis.pcall('HMGET', key, 'queue', 'state', 'function', 'args')
  if is_error(there) then
    if not string.find(there.err, 'WRONGTYPE', 1, true) then error(there.err, 0) end  -- not this user's key, or not this node's
    return 'wrong-type'
  end
  if not same(there[3], fn) or not same(there[4], args) then return 'conflict' end
  local taken = there[1] or there[2] == 'executing' or there[2] == 'finished'
  return taken and 'exists' or 'created'
end

local function judge(at)
  local id, fn, args = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local earlier = seen[id]
  if earlier then return ARGV[earlier + 1] == fn and ARGV[earlier + 2] == args and 'exists' or 'conflict' end
  local key = task_key(id)
  -- Most are new, and this says so at half the price of their fields.
  local is_new = redis.pcall('EXISTS', key) == 0
  local word = is_new and 'created' or compare(key, fn, args)
  if word == 'created' then seen[id], half_made[at] = at, not is_new end
  return word
end

-- at: where a task stands in ARGV.
local function write_task(at)
  redis.call('HSET', task_key(ARGV[at]), 'function', ARGV[at + 1], 'state', 'pending', 'args', ARGV[at + 2],
    'pending-created', now_text(), 'queue', queue, unpack(ARGV, at + 5, at + 4 + 2 * ARGV[at + 4]))
end

local function place(at)
  local id, delay = ARGV[at], ARGV[at + 3]
  fresh[#fresh + 1] = at
  if delay == '' then
    ids[#ids + 1] = id
  elseif delay == 'front' then
    table.insert(first_ids, 1, id)
  else
    due[at] = due_in(delay)
    some_later = true
  end
end

local at = 3
while at <= #ARGV do
  local word = judge(at)
  words[#words + 1] = word
  if word == 'created' then place(at) end
  at = at + 5 + 2 * ARGV[at + 4]
end
all_read(at)
if #fresh == 0 then return words end

-- Lua has no roll-back: the first write to a key is refused before anything is written, or its type is looked at.
if some_later then redis.call('ZCARD', scheduled_key(queue)) end
local function push(command, list)
  for first = 1, #list, 1000 do
    redis.call(command, pending_key(queue), unpack(list, first, math.min(first + 999, #list)))
  end
end
push('LPUSH', ids)
push('RPUSH', first_ids)
for i = 1, #fresh do
  local at = fresh[i]
  write_task(at)
  -- claim does not ask what submit wrote for its lifetime, and whoever wrote the first half may have given it one.
  if half_made[at] then redis.call('PERSIST', task_key(ARGV[at])) end
  if due[at] then redis.call('ZADD', scheduled_key(queue), due[at], ARGV[at]) end
end
redis.pcall('SADD', queues_key, queue)  -- a list for those who look; no task depends on it
return words
`,
  },
} as const;
