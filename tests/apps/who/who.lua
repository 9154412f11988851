local M = {}

function M.run(env)
	local said = { "lua" }
	for _, name in ipairs { "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR" } do
		said[#said + 1] = env[name] or ""
	end
	said[#said + 1] = #(env.input:read(tonumber(env.CONTENT_LENGTH) or 0) or "")
	return 200, { ["Content-Type"] = "text/plain" },
		coroutine.wrap(function() coroutine.yield(table.concat(said, "|")) end)
end

return M
