-- Shuts a coupon: the epoch becomes one that no claim and no mark names.
--
-- KEYS  state, witnesses, holders
-- ARGV  token, created_at
-- Answer: 0 with epoch, sequence and persisted as they were and how many holders there are, or 2 when another coupon of this id is there.
local found = redis.call('HMGET', KEYS[1], 'epoch', 'sequence', 'persisted', 'created_at')
if found[4] and found[4] ~= ARGV[2] then return {2, found[1] or ''} end
redis.call('HSET', KEYS[1], 'epoch', 'r' .. ARGV[1], 'created_at', ARGV[2])
redis.call('DEL', KEYS[2])
return {0, found[1] or '', found[2] or '0', found[3] or '0', redis.call('HLEN', KEYS[3])}
