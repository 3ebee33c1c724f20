-- Reads the state of one coupon.
--
-- KEYS  state, holders
-- Answer: 1 when there is none, 2 when it is being recovered, 8 when a field is gone, or 0 followed by the state in the
-- order of claim.lua and how many holders the state has counted ('' for none).
local state = redis.call('HMGET', KEYS[1], 'stock', 'sequence', 'opens_at', 'closes_at', 'closed', 'epoch',
                         'revision', 'published', 'persisted', 'holders')
if not state[6] then return {1} end
if string.sub(state[6], 1, 1) == 'r' then return {2, state[6]} end
for i = 1, 9 do
  if not state[i] then return {8} end
end
local time = redis.call('TIME')
return {0, state[1], state[2], redis.call('HLEN', KEYS[2]), state[3], state[4], state[5], state[6], state[7],
        state[8], state[9], time[1] * 1000 + math.floor(time[2] / 1000), state[10] or ''}
