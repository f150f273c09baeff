// `uai.base`: UAI-Train's published images by what is asked for.
#include <gtest/gtest.h>

#include "engine/base/text.h"
#include "rules/all.h"
#include "tests/lua/scratch.h"

namespace trainmake {
namespace {

Project with_base(const std::string& call) {
  Scratch scratch("image 'i' {\n  base = " + call + " }");
  scratch.options.modules = all_lua_modules();
  return scratch.load();
}

// "cpu=... gpu=..." less what all names have in common.
std::string base_of(const std::string& call) {
  const Project project = with_base(call);
  if (!project.errors.empty()) return project.errors.front().message;
  const Value* base = project.declarations.front().attributes.find("base");
  std::string text;
  for (const auto& [variant, name] : base->table()->fields)
    text += cat(text.empty() ? "" : " ", variant, "=", *name.string());
  return text;
}

constexpr const char* kHub = "uhub.ucloud.cn/uaishare/";

TEST(UaiBase, NamesTheImagesThatWerePublished) {
  EXPECT_EQ(base_of("uai.base { arch = 'caffe-1.0.0' }"),
            cat("cpu=", kHub, "cpu_uaitrain_ubuntu-14.04_python-2.7.6_caffe-1.0.0:v1.0 gpu=", kHub,
                "gpu_uaitrain_ubuntu-14.04_python-2.7.6_caffe-1.0.0:v1.0"));
  EXPECT_EQ(base_of("uai.base { arch = 'mxnet-1.0.0', os = 'ubuntu-16.04' }"),
            cat("gpu=", kHub, "gpu_uaitrain_ubuntu-16.04_python-2.7.6_mxnet-1.0.0cuda9:v1.0"));
}

TEST(UaiBase, ComesFromTheHostThatThePlatformSays) {
  Space space;
  Value type, yes;
  type.data = std::string("uai");
  yes.data = true;
  space.services = {{"platform", "in", {{}, {{"internal_uhub", yes}, {"type", type}}}, {}}};
  const auto host = [&](const std::string& platform, const std::string& more) {
    Scratch scratch("image 'i' { base = uai.base { arch = 'caffe-1.0.0'" + more + " } }");
    scratch.options.modules = all_lua_modules(space, platform);
    const Project project = scratch.load();
    const std::string base =
        *project.declarations.front().attributes.find("base")->table()->find("gpu")->string();
    return base.substr(0, base.find('/'));
  };
  EXPECT_EQ(host("in", ""), "uhub.service.ucloud.cn");
  EXPECT_EQ(host("local", ""), "uhub.service.ucloud.cn");
  EXPECT_EQ(host("in", ", internal = false"), "uhub.ucloud.cn");
  space.services.push_back({"platform", "out", {{}, {{"type", type}}}, {}});
  EXPECT_EQ(host("out", ""), "uhub.ucloud.cn");
  EXPECT_EQ(host("out", ", internal = true"), "uhub.service.ucloud.cn");
}

TEST(UaiBase, TakesWhatTheToolsTookWhenNothingElseIsSaid) {
  EXPECT_TRUE(says(base_of("uai.base { arch = 'tensorflow-1.4.0' }"), "ubuntu-14.04_python-2.7.6"));
  EXPECT_TRUE(says(base_of("uai.base { arch = 'tensorflow-1.7.0' }"), "ubuntu-16.04_python-2.7_"));
}

TEST(UaiBase, TakesSystemsAndPythonsAsTheToolsWroteThem) {
  for (const char* python : {"python-3.6.2", "python-3.6", "3.6", "3"})
    EXPECT_TRUE(says(base_of(cat("uai.base { arch = 'tensorflow-1.7.0', python = '", python, "' }")),
                     "ubuntu-16.04_python-3.6_tensorflow-1.7.0"))
        << python;
  EXPECT_TRUE(says(base_of("uai.base { arch = 'tensorflow-1.4.0', os = 'ubuntu-14.04.05', "
                           "python = 'python-2.7.6' }"),
                   "ubuntu-14.04_python-2.7.6_tensorflow-1.4.0"));
  EXPECT_TRUE(says(base_of("uai.base { arch = 'tensorflow-1.7.0', python = '3.66' }"), "no such image"));
}

TEST(UaiBase, ListsWhatThereIsWhenACombinationIsNot) {
  const Project project = with_base("uai.base { arch = 'keras-2.1.6', os = 'ubuntu-14.04' }");
  ASSERT_EQ(project.errors.size(), 1U);
  EXPECT_EQ(project.errors.front().where.text(), "TRAINFILE.lua:2");
  EXPECT_TRUE(says(project.errors.front().message,
                   "it has keras-2.1.6 with os = \"ubuntu-16.04\", python = \"python-2.7\"; keras-2.1.6 with "
                   "os = \"ubuntu-16.04\", python = \"python-3.6\""));
  EXPECT_TRUE(says(base_of("uai.base { arch = 'keras-9' }"), "it has keras-2.0.8, keras-2.1.6"));
  EXPECT_TRUE(says(base_of("uai.base { arch = 'jax-1' }"), "tensorflow-2.0.0a"));
}

TEST(UaiBase, AHostInsideAndAnImageForProcessorsMayBeAskedFor) {
  const std::string found = base_of("uai.base { arch = 'pytorch-0.2.0', internal = true, cpu = true }");
  EXPECT_TRUE(says(found, "cpu=uhub.service.ucloud.cn/uaishare/cpu_uaitrain_"));
  EXPECT_TRUE(says(found, "gpu=uhub.service.ucloud.cn/uaishare/gpu_uaitrain_"));
  EXPECT_TRUE(base_of("uai.base { arch = 'caffe-1.0.0', cpu = false }").starts_with("gpu="));
}

TEST(UaiBase, SaysWhatIsWrongWithTheCall) {
  EXPECT_TRUE(says(base_of("uai.base 'caffe'"), "write `uai.base { arch = "));
  EXPECT_TRUE(says(base_of("uai.base {}"), "needs an `arch`"));
  EXPECT_TRUE(says(base_of("uai.base { arch = 'caffe-1.0.0', so = 'x' }"), "knows no `so`"));
  EXPECT_TRUE(says(base_of("uai.base { arch = 1 }"), "`arch` of `uai.base` is a string, not a number"));
}

}  // namespace
}  // namespace trainmake
