project { name = "mnist" }
code "mnist" { srcs = glob { "code/**", exclude = { "**/__pycache__/**" } }, main = "train.py" }
data "digits" { files = glob "data/**" }
image "mnist" { code = "code:mnist", base = { cpu = "a", gpu = "b" }, run = { "pip install nltk" } }
job "mnist" {
  image = "image:mnist",
  data = { "data:digits", model = "job:other" },
  args = { solver = data_dir "solver.json" .. "/x" },
  params = { lr = 0.1, epochs = 5, fast = true },
  metrics = { loss = "loss=([%d.]+)" },
}
for _, lr in ipairs { 0.01, 0.1, 1 } do
  job("sweep-" .. lr) { image = "image:mnist", params = { lr = lr } }
end
