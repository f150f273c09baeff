local t, weak, fake = {}, {}, setmetatable({}, { __len = function() return 3 end, __index = rawlen })
for i = 1, 12 do t = { t, t } end
setmetatable(t, weak) weak.__mode = "kv"
for _, call in ipairs { table.insert, table.remove, table.concat, table.unpack, table.move, table.sort } do
  pcall(call, fake, 1, 1)
end
code "shared" { deep = t, n = tonumber("zz", 36), m = "a" < "b" }
table.insert(setmetatable({}, { __len = function() return 1 << 60 end }), 1, 0)
