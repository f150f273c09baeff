// What the vendor's tools wrote, as they were seen to write it (tests/golden/uai) and as their manual shows
// it.
#include "rules/job/platforms/uai/pack/pack_files.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <sstream>

#include "engine/base/text.h"

namespace trainmake {
namespace {

PackOrder order_of(const std::string& framework, const std::string& arch, const std::string& image) {
  const std::string name = cat("_uaitrain_ubuntu-14.04_python-2.7.6_", arch, ":v1.0");
  return {.framework = framework,
          .gpu_base = cat("uhub.ucloud.cn/uaishare/gpu", name),
          .cpu_base = cat("uhub.ucloud.cn/uaishare/cpu", name),
          .code_path = "./code/",
          .main = "train.py",
          .train_params = "",
          .solver = "",
          .snapshot = "",
          .host = "uhub.ucloud.cn",
          .registry = "demo",
          .image = image,
          .tag = "uaitrain",
          .test_data = "/data/test/data",
          .test_output = "/data/test/output"};
}

PackOrder caffe() {
  PackOrder order = order_of("caffe", "caffe-1.0.0", "caffe-mnist");
  for (std::string* text : {&order.gpu_base, &order.cpu_base}) text->replace(0, 14, "uhub.service.ucloud.cn");
  order.host = "uhub.service.ucloud.cn";
  order.solver = "/data/data/lenet_solver.prototxt";
  return order;
}

std::string golden(const std::string& path) {
  std::ifstream file(TRAINMAKE_SOURCE_DIR "/tests/golden/uai/" + path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string commands_of(const PackOrder& order, PackDialect dialect = PackDialect::kCurrent) {
  return pack_files(order, dialect).back().text;
}

TEST(PackFiles, AreThoseOfTheTools) {
  PackOrder tensorflow = order_of("tensorflow", "tensorflow-1.1.0", "tf-mnist");
  tensorflow.main = "mnist_summary.py";
  tensorflow.train_params = "--max_step=2000";
  PackOrder pytorch = order_of("pytorch", "pytorch-0.2.0", "pytorch-mnist");
  pytorch.main = "mnist.py";
  const std::pair<const char*, PackOrder> cases[] = {{"b1-caffe-internal", caffe()},
                                                     {"b3-tensorflow-train-params", tensorflow},
                                                     {"b7-pytorch-no-params", pytorch}};
  for (const auto& [name, order] : cases) {
    const std::vector<PackedFile> files = pack_files(order, PackDialect::kCurrent);
    ASSERT_EQ(files.size(), 3U);
    for (const PackedFile& file : files) {
      EXPECT_EQ(file.text, golden(cat(name, "/", file.name))) << name << " " << file.name;
      EXPECT_FALSE(file.text.empty());
    }
  }
}

TEST(PackFiles, TheManualOf2017ShowsOthers) {
  PackOrder order = order_of("tensorflow", "tensorflow-1.1.0", "tf-mnist-train");
  order.main = "mnist_summary.py";
  order.train_params = "--max_step=2000";
  order.host = "uhub.service.ucloud.cn";
  order.registry = "uai_demo";
  order.test_data = "/data/mnist/data";
  order.test_output = "/data/mnist/output";
  EXPECT_NE(
      commands_of(order, PackDialect::k2017)
          .find("CMD for GPU local test:\nsudo nvidia-docker run -it -v /data/mnist/data:/data/data -v "
                "/data/mnist/output:/data/output uhub.service.ucloud.cn/uai_demo/tf-mnist-train:uaitrain "
                "/bin/bash -c \"cd /data && /usr/bin/python /data/mnist_summary.py --max_step=2000 "
                "--work_dir=/data --data_dir=/data/data --output_dir=/data/output "
                "--log_dir=/data/output/log\"\n"),
      std::string::npos);
  EXPECT_NE(commands_of(caffe(), PackDialect::k2017).find("--use_cpu=False --num_gpus=1 --work_dir"),
            std::string::npos);
}

TEST(PackFiles, WhatIsForProcessorsAloneOrOfABaseOfOnesOwnHasTwoCommands) {
  PackOrder order = order_of("keras", "keras-2.0.8", "k");
  order.gpu_base = "";
  EXPECT_EQ(pack_files(order, PackDialect::kCurrent).size(), 2U);
  EXPECT_EQ(commands_of(order).find("GPU"), std::string::npos);
  order = order_of("", "", "own");
  order.gpu_base = "registry.example.com/mine:1";
  order.cpu_base = "";
  EXPECT_EQ(commands_of(order).find("CPU"), std::string::npos);
  EXPECT_NE(commands_of(order).find("/data/train.py  --num_gpus=1 --work_dir"), std::string::npos);
}

TEST(PackFiles, ASnapshotFollowsTheSolver) {
  PackOrder order = caffe();
  order.snapshot = "/data/data/lenet_iter_5000.solverstate";
  EXPECT_TRUE(commands_of(order).starts_with(
      "CMD Used for deploying: /data/train.py --solver=/data/data/lenet_solver.prototxt "
      "--snapshot=/data/data/lenet_iter_5000.solverstate\n"));
}

TEST(PackFiles, CommandsStandBetweenBaseAndCode) {
  PackOrder order = caffe();
  order.run = {"pip install nltk", "true"};
  for (const PackedFile& file : pack_files(order, PackDialect::kCurrent)) {
    if (!file.name.ends_with("Dockerfile")) continue;
    EXPECT_NE(file.text.find(":v1.0\nRUN pip install nltk\nRUN true\nADD "), std::string::npos) << file.text;
  }
}

TEST(PackFiles, ACommandOfSeveralLinesIsOneOfADockerfile) {
  PackOrder order = caffe();
  order.run = {"pip install a &&\n  echo \"b\"", "[ -e /data ]", "sh -c <<x"};
  const std::string text = pack_files(order, PackDialect::kCurrent).front().text;
  for (const char* line : {R"(RUN ["/bin/sh","-c","pip install a &&\n  echo \"b\""])",
                           R"(RUN ["/bin/sh","-c","[ -e /data ]"])", R"(RUN ["/bin/sh","-c","sh -c <<x"])"})
    EXPECT_NE(text.find(cat("\n", line, "\n")), std::string::npos) << text;
}

TEST(PackFiles, OtherFoldersAreAddedBelowTheCode) {
  PackOrder order = caffe();
  order.folders = {{"./checkpoint/", "/data"}, {"./w/", "/weights/"}, {"./my w/", "/w"}};
  EXPECT_NE(pack_files(order, PackDialect::kCurrent)
                .front()
                .text.find("ADD ./checkpoint/ /data/\nADD ./w/ /weights/\nADD [\"./my w/\",\"/w/\"]\nADD "
                           "././code/ /data/\n"),
            std::string::npos);
}

TEST(PackFiles, WhatTheToolsGotWrongIsTold) {
  EXPECT_TRUE(pack_mistakes(caffe()).empty());
  const auto told = [](const std::function<void(PackOrder&)>& change, const char* part) {
    PackOrder order = caffe();
    change(order);
    const std::vector<std::string> mistakes = pack_mistakes(order);
    ASSERT_EQ(mistakes.size(), 1U) << part;
    EXPECT_NE(mistakes.front().find(part), std::string::npos) << mistakes.front();
  };
  told([](PackOrder& order) { order.train_params = "--max_step=1"; }, "`train_params` is dropped");
  told([](PackOrder& order) { order.code_path = "./code"; }, "has to end with `/`");
  told([](PackOrder& order) { order.image = "Caffe"; }, "upper case");
  told([](PackOrder& order) { order.folders = {{"./w[1]/", "/w"}}; }, "for a pattern");
  told([](PackOrder& order) { order.solver = "/data/my solver"; }, "a shell takes for itself");
  told([](PackOrder& order) { order.test_output = "output"; }, "is not absolute");
  told(
      [](PackOrder& order) {
        order.framework = "tensorflow";
        order.snapshot = "x";
      },
      "`solver` and `snapshot` are dropped");
}

}  // namespace
}  // namespace trainmake
