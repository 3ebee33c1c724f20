-- Reads the holders among some users, if the state is of the caller's epoch.
--
-- KEYS  state, holders
-- ARGV  epoch, users...
-- Answer: 1 when there is no state, 2 when it is of another epoch, or 0 followed by "SEQUENCE:ISSUED_AT_MS" or nil
-- per user.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then return {1} end
if epoch ~= ARGV[1] then return {2, epoch} end
-- A nil would end the answer, so false, which Redis answers as nil.
return {0, unpack(redis.call('HMGET', KEYS[2], unpack(ARGV, 2)))}
