local s = ("x"):rep(1 << 18, ",") local t = { [1] = s .. s }
t.t = t
while true do pcall(function() t[#t + 1] = { #t } end) end
