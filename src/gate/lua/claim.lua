-- Decides, numbers and appends one batch of requests for one coupon, by the rule of core/decision.hpp.
--
-- KEYS  state, holders, outbox
-- ARGV  epoch, sequence seen by the caller, outbox limit in sequences, users...
-- Answer: a status (ScriptStatus in redis_scripts.hpp) with what was found, or 0 followed by the state after
-- the batch, how many users got one now, and the position and SEQUENCE:ISSUED_AT_MS of each who held one
-- already. The users that are left got theirs now, in their order, until that number is reached.
local state = redis.call('HMGET', KEYS[1], 'stock', 'sequence', 'opens_at', 'closes_at', 'closed', 'epoch',
                         'revision', 'published', 'persisted', 'holders')
if not state[6] then return {1} end
if state[6] ~= ARGV[1] then return {2, state[6]} end
local stock, sequence, persisted = tonumber(state[1]), tonumber(state[2]), tonumber(state[9])
local opens_at, closes_at = tonumber(state[3]), tonumber(state[4])
-- A field is gone: not even what the others say counts.
if not (stock and sequence and persisted and (opens_at or state[3] == '') and (closes_at or state[4] == '') and
        (state[5] == '0' or state[5] == '1') and tonumber(state[7]) and tonumber(state[8])) then
  return {8}
end
if sequence < tonumber(ARGV[2]) then return {3, state[2]} end

local held = redis.call('HMGET', KEYS[2], unpack(ARGV, 4))
local issued = redis.call('HLEN', KEYS[2])
-- More than counted are an older program's. A state of such a program has no count.
local counted = tonumber(state[10])
if counted and issued < counted then return {6, issued} end
-- The server's clock: every API process decides by the same one.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text = string.format('%d', now)

local open = state[5] ~= '1' and (not closes_at or now < closes_at) and (not opens_at or now >= opens_at)
local left = open and stock - issued or 0

local told, fresh, rows, mine = {}, {}, {}, {}
local row = '%d:' .. now_text
for i, known in ipairs(held) do
  local user = ARGV[i + 3]
  local held_at = known or mine[user]
  if held_at then
    told[#told + 1] = i
    told[#told + 1] = held_at
  elseif left > 0 then
    left, sequence, issued = left - 1, sequence + 1, issued + 1
    held_at = string.format(row, sequence)
    mine[user] = held_at
    fresh[#fresh + 1] = user
    rows[#rows + 1] = user
    rows[#rows + 1] = held_at
  end
end

if #fresh > 0 then
  local waiting = sequence - persisted
  if waiting > tonumber(ARGV[3]) then return {4, waiting} end
  -- First write. Redis never rolls a script back, and checks its memory limit only before the first write.
  local id, joined = string.format('%d-0', sequence), table.concat(fresh, ',')
  local added = redis.pcall('XADD', KEYS[3], 'NOMKSTREAM', id, 'e', state[6], 't', now_text, 'u', joined)
  if not added then
    -- No outbox is right as long as nothing waits in it.
    local last, rebuilt = tonumber(state[2]), redis.call('HMGET', KEYS[1], 'rebuilt', 'pending')
    if rebuilt[1] and last <= (tonumber(rebuilt[1]) or last) then last = tonumber(rebuilt[2]) or last end
    if last > persisted then return {7, last} end
    added = redis.pcall('XADD', KEYS[3], id, 'e', state[6], 't', now_text, 'u', joined)
  end
  if added.err then
    if not string.find(added.err, 'equal or smaller', 1, true) then return added end
    -- An earlier call was stopped after its first write. The mark tells everybody who looks.
    redis.call('HSET', KEYS[1], 'torn', '1')
    return {8}
  end
  redis.call('HSET', KEYS[2], unpack(rows))
  redis.call('HSET', KEYS[1], 'sequence', string.format('%d', sequence), 'holders', string.format('%d', issued))
end

return {0, state[1], sequence, issued, state[3], state[4], state[5], state[6], state[7], state[8], state[9],
        now, #fresh, unpack(told)}
