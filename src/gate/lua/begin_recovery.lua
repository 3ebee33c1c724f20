#!lua flags=allow-oom
-- Shuts a coupon: the epoch becomes one that no claim and no mark names.
--
-- KEYS  state, holders, outbox
-- ARGV  token, created_at, the epoch that is expected ('' for no state)
-- Answer: 0 with the epoch when it was last open ('' for none), sequence, persisted, how many holders there are, how many
-- the state says there are ('' when it does not say), the last sequence that waits in the outbox, how many entries that
-- has, up to which sequence a recovery wrote it, and 1 when a field is lost; or 2 when another coupon of this id is there,
-- or another epoch.
local found = redis.call('HMGET', KEYS[1], 'epoch', 'sequence', 'persisted', 'created_at', 'was', 'holders', 'rebuilt',
                         'pending', 'published')
local was = found[1] or ''
if was ~= ARGV[3] or (found[4] and found[4] ~= ARGV[2]) then return {2, was} end
if string.sub(was, 1, 1) == 'r' then was = found[5] or '' end
-- A foreign key is found before the first write.
local holders = redis.call('HLEN', KEYS[2])
local outbox = redis.call('XLEN', KEYS[3])
local function count(text)
  local number = text and string.find(text, '^%d+$') and tonumber(text)
  return number and number <= 2 ^ 53 and number
end
local sequence, persisted, rebuilt, pending = count(found[2]), count(found[3]), count(found[7]), count(found[8])
local lost = not (sequence and persisted and count(found[9])) or not rebuilt ~= not pending
local last = sequence or 0
if rebuilt and last <= rebuilt then last = pending or last end
redis.call('HSET', KEYS[1], 'epoch', 'r' .. ARGV[1], 'created_at', ARGV[2], 'was', was)
return {0, was, sequence or 0, persisted or 0, holders, found[6] or '', last, outbox, rebuilt or 0, lost and 1 or 0}
