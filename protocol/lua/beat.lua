-- beat: says that a worker lives. Renews the one lease of all that it holds.
-- Parts: base keys calls
-- ARGV: now, worker, lease (ms).
-- Replies: {"ok", how many tasks it holds, claims it is asked to end} | {"sealed"} (end your runs, start under a new id) |
--          {"unknown"} (register again: the keys are gone).
-- Promise: one call per beat whatever is in flight; works at maxmemory; a sealed worker can not come back to life.
-- Vectors: commands/beat.json
local worker, lease = ARGV[2], tonumber(ARGV[3])

local STOPS = 100   -- claims a call

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
local stops = redis.pcall('SPOP', app .. 'stop:' .. worker, STOPS)
return {'ok', holds, is_error(stops) and {} or stops}
