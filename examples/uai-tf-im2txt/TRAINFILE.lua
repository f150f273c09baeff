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

job "im2txt" {
  image = "image:im2txt",
  data = "data:shards",
  args = {
    input_file_pattern = "/train-?????-of-00256", -- below --data_dir
    inception_checkpoint_file = "/inception_v3.ckpt", -- below --work_dir
    train_inception = "false",
  },
  params = { number_of_steps = 1024, log_every_n_steps = 128 },
  resources = { node_type = "1-P40", nodes = 1, hours = 24 },
  outputs = { model = "model.ckpt-1024" },
  metrics = { loss = "loss = ([%d.]+)" },
}
