-- sealing.lua: taking a worker for dead, for good. Uses time.
local SEALED = -1            -- its score in workers
local SEALED_KEPT = 3600000  -- ms a sealed id is remembered
local function seal(worker)
  redis.call('ZADD', workers_key, SEALED, worker)
  redis.pcall('HSET', worker_key(worker), 'sealed', now_text())
  redis.call('PEXPIRE', worker_key(worker), SEALED_KEPT)
end
