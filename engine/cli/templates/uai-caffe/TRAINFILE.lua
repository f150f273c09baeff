-- A job of Caffe on UCloud's UAI-Train; `trainmake help uai` says more of it. To try it on this machine, where Python alone stands in
-- for Caffe: @TRY@
project { name = "@NAME@" }

code "@NAME@" { srcs = glob { "code/**", exclude = { "**/__pycache__/**" } }, main = "train.py" }

-- The solver lies beside what is trained on: to edit it sends one file and starts one job, and the image stays as it is.
data "@NAME@" { files = glob "data/**" }

image "@NAME@" {
  code = "code:@NAME@",
  base = select { uai = uai.base { arch = "caffe-1.0.0" }, default = "scratch" },
}

job "@NAME@" {
  image = "image:@NAME@",
  data = "data:@NAME@",
  solver = data_dir "solver.prototxt",
  resources = { node_type = "1-P40", hours = 6 },
  memo = "first",
  outputs = { model = "model.json" },
  metrics = { loss = "loss=([%d.e+-]+)" },
}
