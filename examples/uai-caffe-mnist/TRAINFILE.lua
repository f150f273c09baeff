-- Digits as the guide of UAI-Train packs them for Caffe: a solver and a net beside train.py, data apart from them.
project { name = "uai-caffe-mnist" }

code "mnist" { srcs = glob { "code/**", exclude = { "**/__pycache__/**" } }, main = "train.py" }

-- The digits, and a solver: where the job reads it from here, editing it sends this one file.
data "mnist" { files = glob "data/**" }

-- On UAI-Train it is built on the published image; here its code runs in this machine's Python.
image "caffe-mnist" {
  code = "code:mnist",
  base = select { uai = uai.base { arch = "caffe-1.0.0" }, default = "scratch" },
}

local function train(solver)
  return {
    image = "image:caffe-mnist",
    data = "data:mnist",
    solver = solver,
    resources = { node_type = "1-P40", nodes = 1, hours = 6 },
    outputs = { model = "lenet.caffemodel" },
    metrics = { loss = "loss = ([%d.]+)", accuracy = "accuracy = ([%d.]+)" },
  }
end

job "mnist" (train(data_dir "lenet_solver.prototxt")) -- /data/data/lenet_solver.prototxt
job "mnist-packed" (train(code_dir "lenet_solver.prototxt")) -- /data/lenet_solver.prototxt, in the image
