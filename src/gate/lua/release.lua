-- Gives the lease up, if the owner still has it.
--
-- KEYS  relay
-- ARGV  owner
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
