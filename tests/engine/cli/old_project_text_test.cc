#include "engine/cli/old_project_text.h"

#include <gtest/gtest.h>

#include "engine/base/text.h"

namespace trainmake {
namespace {

TEST(OldProjectText, OfAPackIsCodeDataImageAndJob) {
  OldProject project;
  project.name = "caffe-mnist";
  project.arch = "caffe-1.0.0";
  project.registry = "demo";
  project.internal_uhub = true;
  project.code = "./code/";
  project.main = "train.py";
  project.solver = "/data/data/lenet_solver.prototxt";
  project.data = "/data/test/data";
  project.bucket.name = "b";
  const OldProjectText text = text_of(project);
  EXPECT_EQ(text.trainfile, R"(project { name = "caffe-mnist" }

code "caffe-mnist" {
  srcs = glob { "code/**", exclude = { "**/__pycache__/**" } },
  main = "train.py",
}

data "caffe-mnist" {
  files = glob "data/**",
}

image "caffe-mnist" {
  code = "code:caffe-mnist",
  base = uai.base { arch = "caffe-1.0.0" },
}

job "caffe-mnist" {
  image = "image:caffe-mnist",
  data = "data:caffe-mnist",
  solver = data_dir "lenet_solver.prototxt",
  resources = { node_type = "1-P40", hours = 6 },
}
)");
  EXPECT_EQ(text.trainspace,
            R"(-- Keys stand in no file: UCLOUD_PUBLIC_KEY and UCLOUD_PRIVATE_KEY, or ~/.ucloud.
platform "uai" {
  type = "uai",
  registry = "demo",
  internal_uhub = true,
  bucket = "b",
}

default_platform "uai"
)");
  EXPECT_NE(join(text.lost, "\n").find("the data lay in `/data/test/data`"), std::string::npos);
}

TEST(OldProjectText, OfAnImageThatIsPackedIsItsCommand) {
  OldProject project;
  project.name = "Mnist train";
  project.packed_image = "uhub.ucloud.cn/demo/mnist:v1";
  project.main = "/data/train.py";
  project.train_params = "--name 'a b'";
  project.bucket.name = "b";
  project.data_prefix = "mnist/data";
  project.node_type = "4-P40";
  project.hours = 3;
  project.nodes = 2;
  const OldProjectText text = text_of(project);
  EXPECT_EQ(text.name, "mnist-train");
  for (const char* part :
       {"base = \"uhub.ucloud.cn/demo/mnist:v1\"", "url = \"ufile://b/mnist/data\"",
        "command = { \"/usr/bin/python\", \"-u\", \"/data/train.py\", \"--name\", \"a b\" }",
        "resources = { node_type = \"4-P40\", nodes = 2, hours = 3 }"})
    EXPECT_NE(text.trainfile.find(part), std::string::npos) << part << "\n" << text.trainfile;
  EXPECT_EQ(text.trainfile.find("code"), std::string::npos);
}

TEST(OldProjectText, AFolderOfCodeIsTypedAsItWas) {
  OldProject project;
  project.name = "x";
  project.gpu_base = "r/x:1";
  for (const auto& [code, written] :
       {std::pair("./code/", ""), std::pair("./", ""), std::pair("code/", "root = \"code/\""),
        std::pair("code", "root = \"code\""), std::pair("my[1]code/", R"(srcs = glob { "my\\[1]code/**")")}) {
    project.code = code;
    const std::string text = text_of(project).trainfile;
    EXPECT_NE(text.find(written), std::string::npos) << text;
    EXPECT_EQ(text.find("root") == std::string::npos, *written == '\0') << text;
  }
}

TEST(OldProjectText, ACommandOfVariablesIsForAShellWhereTheJobRuns) {
  OldProject project;
  project.name = "x";
  project.packed_image = "uhub.ucloud.cn/demo/x:1";
  project.python_line = "-m torch.distributed.launch --nnodes=$WORKER_NUM /data/a.py";
  project.nodes = 2;
  const std::string text = text_of(project).trainfile;
  EXPECT_NE(text.find(R"(command = { "sh", "-c", "exec /usr/bin/python -u -m torch.distributed.launch )"
                      R"(--nnodes=$WORKER_NUM /data/a.py \"$@\"", "sh" })"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find(R"(distribution = "torchrun")"), std::string::npos) << text;
}

TEST(OldProjectText, ABucketIsWhereItsAddressSaid) {
  OldProject project;
  project.name = "x";
  project.gpu_base = "r/x:1";
  project.bucket.name = "b";
  project.bucket.region = "cn-gd";
  EXPECT_NE(text_of(project).trainspace.find(
                "store \"bucket\" {\n  url = \"ufile://b\",\n  region = \"cn-gd\",\n}"),
            std::string::npos);
}

TEST(OldProjectText, ABucketOfResultsIsThePlatforms) {
  OldProject project;
  project.name = "x";
  project.packed_image = "uhub.ucloud.cn/demo/x:1";
  project.bucket = {"in", "cn-bj"};
  project.output_bucket = {"out", "cn-gd"};
  project.data_prefix = "m";
  const OldProjectText text = text_of(project);
  EXPECT_NE(text.trainfile.find("url = \"ufile://in/m\""), std::string::npos) << text.trainfile;
  for (const char* part :
       {"bucket = \"out\"", "store \"bucket\" {\n  url = \"ufile://out\",\n  region = \"cn-gd\"",
        "store \"data\" {\n  url = \"ufile://in\",\n  region = \"cn-bj\""})
    EXPECT_NE(text.trainspace.find(part), std::string::npos) << part << "\n" << text.trainspace;
}

TEST(OldProjectText, DataOnAUfsIsReadWhereItIsMounted) {
  OldProject project;
  project.name = "x";
  project.packed_image = "uhub.ucloud.cn/demo/x:1";
  project.ufs = "10.9.1.2:/ufs-x";
  project.ufs_data = "a/b/";
  const OldProjectText text = text_of(project);
  EXPECT_NE(text.trainfile.find("url = \"dir:/mnt/ufs/a/b\""), std::string::npos) << text.trainfile;
  EXPECT_NE(text.trainspace.find("ufs = \"10.9.1.2:/ufs-x\",\n  ufs_dir = \"/mnt/ufs\""), std::string::npos)
      << text.trainspace;
  const std::string lost = join(text.lost, "\n");
  EXPECT_NE(lost.find("where UFS `10.9.1.2:/ufs-x` is on this machine"), std::string::npos) << lost;
  EXPECT_EQ(lost.find("the bucket"), std::string::npos) << lost;
}

TEST(OldProjectText, ABucketThatUFileCannotMakeIsTold) {
  OldProject project;
  project.name = "x";
  project.gpu_base = "r/x:1";
  project.bucket.name = "a-b_c-bucket";  // the scripts replace one `_`
  EXPECT_NE(join(text_of(project).lost, "\n").find("of `a-b_c-bucket` it takes"), std::string::npos);
}

TEST(OldProjectText, TextsAreQuotedForLua) {
  OldProject project;
  project.name = "x";
  project.gpu_base = "r/x:1";
  project.code = "code";
  project.main = "a\"b.py";
  project.memo = "one\ntwo";
  project.run = {"echo \"a\""};
  const std::string text = text_of(project).trainfile;
  for (const char* part :
       {R"(main = "a\"b.py")", R"(memo = "one\ntwo")", R"(run = { "echo \"a\"" })", "network = true"})
    EXPECT_NE(text.find(part), std::string::npos) << part;
}

}  // namespace
}  // namespace trainmake
