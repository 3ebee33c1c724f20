-- Becomes, or stays, the relay of a coupon.
--
-- KEYS  relay
-- ARGV  owner, milliseconds
-- Answer: 1 when the owner has the lease now.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
