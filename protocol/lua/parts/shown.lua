-- shown.lua: a stranger's bytes inside a reason.
local function shown(value) return (string.gsub(string.sub(value, 1, 40), '[^\32-\126]', '?')) end
