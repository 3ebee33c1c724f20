#!lua flags=allow-oom
-- Becomes, or stays, the relay of a coupon. A full server must not stop the relays that empty it.
--
-- KEYS  relay
-- ARGV  owner, milliseconds
-- Answer: 1 when the owner has the lease now.
local owner = redis.call('GET', KEYS[1])
if owner == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
if owner then
  -- One that was given while the server's clock was ahead would last until it gets there, and one whose time
  -- to live a copying tool has left out would never end.
  local left = redis.call('PTTL', KEYS[1])
  if left < 0 or left > tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
