local c = load_file "common.lua"
local who = env("NAME", "nobody") .. env("OTHER", 3)
local first = list(glob "data/**")[1]
local where = select { slurm = 1, ["local"] = 2, default = 3 } + select("#", 1, 2)
for k, v in pairs { b = 1, a = 2, [3] = 4 } do job(k .. v) { first = first, where = where } end
local t = setmetatable({}, { __index = function(_, k) return k end, __len = function() return 3 end })
table.sort({ 3, 1, 2 }, function(a, b) return a > b end)
job(string.format("%s-%d", t.x, #t)) { code_dir "a", output_dir "b", checkpoint_dir "c", log_dir() }
