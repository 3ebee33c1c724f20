-- wrk script: every request is a new user's. The path comes as the first argument after --.
local path
local prefix = tostring(os.time() % 100000) .. "-"
local user = 0

function init(args)
  path = args[1]
  prefix = (args[2] or "") .. prefix
end

function request()
  user = user + 1
  return wrk.format("POST", path, { ["X-User-Id"] = prefix .. user })
end
