-- seal: takes workers for dead that are known to be gone, because their host says so. What they held recover takes back.
-- Parts: base keys time calls sealing
-- ARGV: now, then ids of workers.
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
