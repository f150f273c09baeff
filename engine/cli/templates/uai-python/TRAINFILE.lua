-- A job of @FRAMEWORK@ on UCloud's UAI-Train; `trainmake help uai` says more of it. To try it on this machine, where Python alone stands
-- in for @FRAMEWORK@: @TRY@
project { name = "@NAME@" }

code "@NAME@" { srcs = glob { "code/**", exclude = { "**/__pycache__/**" } }, main = "train.py" }

data "@NAME@" { files = glob "data/**" }

image "@NAME@" {
  code = "code:@NAME@",
  base = select { uai = uai.base { @BASE@ }, default = "scratch" },
}

job "@NAME@" {
  image = "image:@NAME@",
  data = "data:@NAME@",
  params = { max_step = 400, learning_rate = 0.02 },
  resources = { node_type = "1-P40", hours = 6 },
  memo = "first",
  outputs = { model = "model.json" },
  metrics = { loss = "loss=([%d.e+-]+)" },
}
