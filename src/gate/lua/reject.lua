#!lua flags=allow-oom
-- Notes a sequence that will have no row.
--
-- KEYS  state
-- ARGV  epoch, sequence, how many are kept
-- Answer: 0.
local found = redis.call('HMGET', KEYS[1], 'epoch', 'rejected')
if found[1] ~= ARGV[1] then return {0} end
local list = found[2] or ''
if list == '*' or string.find(',' .. list .. ',', ',' .. ARGV[2] .. ',', 1, true) then return {0} end
local _, commas = string.gsub(list, ',', ',')
if list ~= '' and commas + 2 > tonumber(ARGV[3]) then
  list = '*'  -- too many: any may be one
else
  list = list == '' and ARGV[2] or list .. ',' .. ARGV[2]
end
redis.call('HSET', KEYS[1], 'rejected', list)
return {0}
