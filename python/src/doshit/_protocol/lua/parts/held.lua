-- held.lua: which claim holds a task.
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
