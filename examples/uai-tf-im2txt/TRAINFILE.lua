-- Captions for images as the guide of UAI-Train packs im2txt: a nested package, a checkpoint of Inception beside it, and
-- 256 shards of data.
project { name = "uai-tf-im2txt" }

code "im2txt" { srcs = glob { "code/**", exclude = { "**/__pycache__/**" } }, main = "train.py" }

-- make-data.py writes these.
data "shards" { files = glob "data/train-?????-of-00256" }

image "im2txt" {
  code = "code:im2txt",
  base = select { uai = uai.base { arch = "tensorflow-1.1.0" }, default = "scratch" },
  -- A layer of its own: an edit of the code does not send it.
  files = { { srcs = { "checkpoint/inception_v3.ckpt" }, dest = "/data" } },
}

-- A checkpoint has the number of its step in its name.
local steps = 1024

job "im2txt" {
  image = "image:im2txt",
  data = "data:shards",
  -- As the guide types it: patterns are for the program, below --data_dir; the checkpoint lies below --work_dir.
  train_params = "--input_file_pattern=/train-?????-of-00256 --inception_checkpoint_file=/inception_v3.ckpt "
    .. "--train_inception=false --number_of_steps=" .. steps .. " --log_every_n_steps=128",
  resources = { node_type = "1-P40", nodes = 1, hours = 24 },
  outputs = { model = "model.ckpt-" .. steps },
  metrics = { loss = "loss = ([%d.]+)" },
}
