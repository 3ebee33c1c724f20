-- KEYS  state, holders
-- ARGV  token, 1 to forget all holders first, then user, "SEQUENCE:ISSUED_AT_MS", ...
-- Answer: 0, or 2 when the recovery of that token has ended.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch ~= 'r' .. ARGV[1] then return {2, epoch or ''} end
if ARGV[2] == '1' then redis.call('UNLINK', KEYS[2]) end
if #ARGV > 2 then redis.call('HSET', KEYS[2], unpack(ARGV, 3)) end
return {0}
