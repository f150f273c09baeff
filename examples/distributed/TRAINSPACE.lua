-- A Slurm cluster, where there is one: its nodes and this machine see SHARED_DIR under one path.
local shared = env("SHARED_DIR", "")
if shared ~= "" then
  platform "lab" { type = "slurm", shared_dir = shared }
end
