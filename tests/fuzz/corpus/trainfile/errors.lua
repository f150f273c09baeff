#!/usr/bin/env trainmake
local function mk(name) code(name) { f = error, n = 0/0, l = { 1, nil, 3 }, [1.5] = 1 } end
mk "a" mk "a"
print2 = pcall(os) and xpcall(error, error, "x")
local ok, e = pcall(glob, { exlude = 1 })
job "left"
job "x" { tostring({}), e, [[long
text]], --[==[ comment ]==] ["local"] = 'q\'' }
(function() end)()
