-- KEYS  state, holders
-- ARGV  token, then user, "SEQUENCE:ISSUED_AT_MS", ...
-- Answer: 0, or 2 when the recovery of that token has ended.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch ~= 'r' .. ARGV[1] then return {2, epoch or ''} end
redis.call('HSET', KEYS[2], unpack(ARGV, 2))
return {0}
