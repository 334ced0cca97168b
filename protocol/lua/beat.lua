-- beat: says that a worker lives. Renews the one lease of all that it holds.
-- Parts: base keys calls held
-- ARGV: now, worker, lease (ms).
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
