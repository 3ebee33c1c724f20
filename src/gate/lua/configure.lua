-- Takes over stock, window and closed, unless the state has this revision already.
--
-- KEYS  state, holders
-- ARGV  stock, opens_at, closes_at, closed, revision, epoch
-- Answer: 0, 1 when there is no state, 2 when it is of another epoch, 5 when more are issued than the new stock, 6 when
-- holders are missing, 8 when the revision is, 9 when it has a later one.
local found = redis.call('HMGET', KEYS[1], 'revision', 'epoch', 'holders')
if not found[2] then return {1} end
if found[2] ~= ARGV[6] then return {2, found[2]} end
local revision, given, counted = tonumber(found[1]), tonumber(ARGV[5]), tonumber(found[3])
if not revision then return {8} end
if revision == given then return {0} end
if revision > given then return {9, found[1]} end
local issued = redis.call('HLEN', KEYS[2])
if counted and issued < counted then return {6, issued} end
if tonumber(ARGV[1]) < issued then return {5, issued} end
redis.call('HSET', KEYS[1], 'stock', ARGV[1], 'opens_at', ARGV[2], 'closes_at', ARGV[3], 'closed', ARGV[4],
           'revision', ARGV[5], 'holders', issued)
return {0}
