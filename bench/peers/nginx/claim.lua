-- The script in Redis: one call decides one request. KEYS: stock, holders. ARGV: user.
local held = redis.call('hget', KEYS[2], ARGV[1])
if held then return {0, tonumber(held)} end
local sequence = redis.call('hlen', KEYS[2]) + 1
if sequence > tonumber(redis.call('get', KEYS[1]) or '0') then return {2, 0} end
redis.call('hset', KEYS[2], ARGV[1], sequence)
return {1, sequence}
