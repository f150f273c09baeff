-- A digit classifier: a small network trained with NumPy, and its evaluation on digits that it has not seen.
project { name = "mnist" }

code "mnist" { srcs = glob { "code/**", exclude = { "**/__pycache__/**" } }, main = "train.py" }

-- How to train. Editing it trains again, and sends this one file.
data "solver" { files = { "data/solver.json" } }

-- The MNIST files, when they lie in data/ (see README.md). Without them the code draws digits of its own.
data "digits" { files = glob { "data/*-ubyte*", allow_empty = true } }

-- As processes its jobs need no more than the code; in containers, a base with Python and NumPy (README.md, "In a container").
local base = env("BASE", "scratch")
image "mnist" { code = "code:mnist", base = base }

job "mnist" {
  image = "image:mnist",
  data = { "data:digits", "data:solver" },
  args = { solver = data_dir "solver.json" },
  params = { hidden = 64 },
  outputs = { model = "model.npz", metrics = "metrics.json" },
  metrics = { loss = "loss=([%d.e+-]+)", accuracy = "accuracy=([%d.e+-]+)" },
}

job "eval" {
  image = "image:mnist",
  main = "eval.py",
  data = { "data:digits", model = "job:mnist" },
  outputs = { metrics = "metrics.json" },
  metrics = { accuracy = "accuracy=([%d.e+-]+)" },
}

-- The training as a container that runs anywhere, also without trainmake.
if base ~= "scratch" then
  image "container" {
    code = "code:mnist",
    base = base,
    files = { { srcs = { "data/solver.json" }, dest = "/opt/mnist" } },
    env = { TRAINMAKE_DATA_DIR = "/data", TRAINMAKE_OUTPUT_DIR = "/tmp" },
    entrypoint = { "python3", "/code/train.py" },
    cmd = { "--solver", "/opt/mnist/solver.json", "--hidden", "64" },
  }
end
