-- Ends a recovery: the coupon is open again, in a new epoch.
--
-- KEYS  state, witnesses
-- ARGV  token, witnesses heard, epoch, sequence, persisted, stock, opens_at, closes_at, closed, revision
-- Answer: 0 with 1 when it is open, 0 with 0 when there are unheard witnesses, or 2 when the recovery of that token
-- has ended.
local found = redis.call('HMGET', KEYS[1], 'epoch', 'revision')
if found[1] ~= 'r' .. ARGV[1] then return {2, found[1] or ''} end
if redis.call('HLEN', KEYS[2]) > tonumber(ARGV[2]) then return {0, 0} end
if not found[2] or tonumber(found[2]) < tonumber(ARGV[10]) then
  redis.call('HSET', KEYS[1], 'stock', ARGV[6], 'opens_at', ARGV[7], 'closes_at', ARGV[8], 'closed', ARGV[9],
             'revision', ARGV[10])
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[3], 'sequence', ARGV[4], 'published', ARGV[5], 'persisted', ARGV[5])
redis.call('DEL', KEYS[2])
return {0, 1}
