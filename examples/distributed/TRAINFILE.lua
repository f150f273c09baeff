-- A softmax regression that is trained by two workers over two parameter servers, and asked for its accuracy.
project { name = "distributed" }

code "softmax" { srcs = glob { "code/**", exclude = { "**/__pycache__/**" } } }

image "softmax" { code = "code:softmax", base = "scratch" }

job "train" {
  image        = "image:softmax",
  main         = "train.py",
  args         = { train_url = output_dir() },     -- ModelArts gives it, too, and then it is the same folder
  params       = { rate = 0.5, steps = 60 },
  resources    = { nodes = 2, cpus = 2 },
  distribution = "ps_worker",                      -- one of each on each node
  outputs      = { model = "softmax.npz" },
  metrics      = { loss = "loss=([%d.]+)" },
}

job "eval" {
  image   = "image:softmax",
  main    = "eval.py",
  data    = { model = "job:train" },
  args    = { model = data_dir "model/softmax.npz", train_url = output_dir() },
  outputs = { report = "report.json" },
  metrics = { accuracy = "accuracy=([%d.]+)" },
}
