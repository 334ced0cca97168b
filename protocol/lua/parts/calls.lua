-- calls.lua: looks at arguments and keys before anything is written; lets what must work at maxmemory work there.
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
