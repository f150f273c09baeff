-- What there is to build and run. `trainmake` alone lists it; `trainmake help job` says what may stand in a job.
project { name = "@NAME@" }

code "@NAME@" { srcs = glob { "code/**", exclude = { "**/__pycache__/**" } }, main = "train.py" }

data "points" { files = glob "data/**" }

image "@NAME@" { code = "code:@NAME@", base = "scratch" }

job "@NAME@" {
  image = "image:@NAME@",
  data = { "data:points" },
  params = { rate = 0.02, epochs = 400 },
  outputs = { model = "model.json" },
  metrics = { loss = "loss=([%d.e+-]+)" },
}
