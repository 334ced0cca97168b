-- note: keeps what running tasks tell: how far they are, and what they print. Changes no state.
-- Parts: base keys calls held
-- ARGV: now, worker, keep (seconds that output stays after the last of it), output-cap (bytes kept of a task), then for each
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
