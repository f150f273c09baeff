local text = ("a"):rep(100) .. " = [b] (c)"
for _, pattern in ipairs { "(.-)%1b", "a*a*b", "%b()", "%f[%w]%w+", "[^%s-]-$", "^()(a?)", "[]]", "[%a-]" } do
  pcall(string.find, text, pattern, -20)
  pcall(string.gsub, text, pattern, "%1%0%%")
  pcall(string.gsub, text, pattern, { a = "b" }, 3)
  for match in string.gmatch("aab aa", pattern) do text = text .. match end
end
pcall(string.find, ("a"):rep(1000), "a-a-b" .. ("a?"):rep(250))
pcall(string.gsub, text, "", ("%0"):rep(1000))
pcall(table.insert, setmetatable({}, { __len = function() return math.maxinteger end }), 1)
code("found") { text = text, at = text:find("(c)", 1, true) }
