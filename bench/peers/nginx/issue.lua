-- POST /v1/coupons/ID/issue on nginx: one script call a request, over connections to Redis that are kept.
-- dofile(...)(redis_port, script) returns the handler.
local POOL_SIZE = 256
local IDLE_MS = 60000
local RESULTS = { [0] = { 200, "already_issued" }, { 201, "issued" }, { 409, "sold_out" } }

local function argument(text)
  return "$" .. #text .. "\r\n" .. text .. "\r\n"
end

local function hex(bytes)
  return (bytes:gsub(".", function(c) return string.format("%02x", c:byte()) end))
end

return function(redis_port, script)
  local head

  local function ask(socket, coupon, user)
    local key = "{" .. coupon .. "}:"
    socket:send(head .. argument(key .. "stock") .. argument(key .. "holders") .. argument(user))
    local first = socket:receive()
    if first ~= "*2" then return nil, first end
    local result, sequence = socket:receive(), socket:receive()
    return tonumber(result:sub(2)), sequence:sub(2)
  end

  return function()
    -- ngx.sha1_bin is there only once a request is.
    head = head or ("*6\r\n" .. argument("EVALSHA") .. argument(hex(ngx.sha1_bin(script))) .. argument("2"))
    local coupon, user = ngx.var.coupon, ngx.var.http_x_user_id
    local socket = ngx.socket.tcp()
    local ok, problem = socket:connect("127.0.0.1", redis_port)
    local result, sequence
    if ok then
      result, sequence = ask(socket, coupon, user)
      problem = sequence
    end
    ngx.header["Content-Type"] = "application/json"
    if not result then
      ngx.status = 503
      ngx.print('{"error":"', problem or "closed", '"}')
      return
    end
    socket:setkeepalive(IDLE_MS, POOL_SIZE)
    local status, name = unpack(RESULTS[result])
    local body = '{"result":"' .. name .. '","couponId":"' .. coupon .. '","userId":"' .. user .. '","sequence":' .. sequence .. "}"
    ngx.status = status
    ngx.header["Content-Length"] = #body
    ngx.print(body)
  end
end
