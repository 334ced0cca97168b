-- claim: pending -> executing. Moves up to n ids to executing and takes them for one worker, in one step.
-- Parts: base time
-- ARGV: now, worker, request, limit, bytes (of args a call), args-cap (bytes of one task's args),
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
local function write_taken(key, queue, claim, attempts, is_submitted)
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
-- every entry of `todo` is {do, id, queue, ...}.
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
