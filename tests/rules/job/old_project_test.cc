// What is read off the old tools' command lines and off the scripts' files. Keys in here are nobody's.
#include "rules/job/platforms/uai/old/old_project.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/shell_words.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

using Words = std::vector<std::string>;

Result<OldProject> of_command(const std::string& command) { return read_old_command(*shell_words(command)); }

bool loses(const OldProject& project, std::string_view part) {
  return std::any_of(project.lost.begin(), project.lost.end(),
                     [&](const std::string& sentence) { return sentence.find(part) != sentence.npos; });
}

Words names_of(const OldProject& project) {
  Words names;
  for (const auto& [name, value] : project.credentials) names.push_back(name);
  return names;
}

TEST(OldCommand, APackSaysImageCodeAndProgram) {
  const auto read = of_command(
      "sudo python caffe_tool.py pack --public_key=PUB --private_key PRIV --ai_arch_v=caffe-1.0.0 "
      "--uhub_username=u --uhub_password=p --uhub_registry=demo --uhub_imagename=caffe-mnist "
      "--internal_uhub=true --code_path=./code/ --mainfile_path=train.py "
      "--solver=/data/data/lenet_solver.prototxt --test_data_path=/data/test/data "
      "--test_output_path=/data/test/output");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->name, "caffe-mnist");
  EXPECT_EQ(read->arch, "caffe-1.0.0");
  EXPECT_EQ(read->registry, "demo");
  EXPECT_TRUE(read->internal_uhub);
  EXPECT_FALSE(read->cpu_alone);
  EXPECT_EQ(read->code, "./code/");
  EXPECT_EQ(read->main, "train.py");
  EXPECT_EQ(read->solver, "/data/data/lenet_solver.prototxt");
  EXPECT_EQ(read->data, "/data/test/data");
  EXPECT_EQ(names_of(*read), (Words{"--public_key", "--private_key", "--uhub_username", "--uhub_password"}));
  EXPECT_TRUE(loses(*read, "`--test_output_path`"));
}

TEST(OldCommand, WhatTheToolOfCaffeDroppedIsTold) {
  const auto read = of_command("caffe_tool.py pack --train_params='--x=1'");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->train_params, "");
  EXPECT_TRUE(loses(*read, "`--train_params`"));
  EXPECT_EQ(of_command("tf_tool.py pack --train_params='--x=1'")->train_params, "--x=1");
}

TEST(OldCommand, TheToolOfCaffePassedOnWhatACreatedJobWasGiven) {
  const auto read =
      of_command("caffe_tool.py create --docker_cmd='/data/train.py --solver=/data/data/solver.prototxt'");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->train_params, "--solver=/data/data/solver.prototxt");
  EXPECT_TRUE(read->lost.empty());
}

TEST(OldCommand, AStartCommandIsKeptAsItWasTypedPatternsAndAll) {
  constexpr const char* kTyped = "--input_file_pattern=/train-?-of-00256 --x='a b' *";
  const auto read =
      read_old_command({"tf_tool.py", "create", "--docker_cmd", cat("/data/train.py ", kTyped)});
  ASSERT_TRUE(read);
  EXPECT_EQ(read->train_params, kTyped);
  const auto lines =
      read_old_command({"tf_tool.py", "create", "--docker_cmd", "/data/train.py --a \\\n --b"});
  EXPECT_EQ(lines->train_params, "--a --b");
}

TEST(OldCommand, ABlankToFillInIsNamedAndNoValue) {
  const auto read = read_old_command(
      {"tf_tool.py", "pack", "--public_key=<YOUR_PUB_KEY>", "--uhub_registry=<YOUR_REGISTRY>"});
  ASSERT_TRUE(read);
  EXPECT_EQ(names_of(*read), Words{"--public_key"});
  EXPECT_EQ(read->registry, "");
  EXPECT_TRUE(loses(*read, "`--uhub_registry`, which stands there as a blank"));
}

TEST(OldCommand, ACreateSaysImageProgramMachineAndData) {
  const auto read = of_command(
      "python tf_tool.py create --public_key=PUB --private_key=PRIV --job_name=mnist-train --job_memo='a b' "
      "--node_type=1-P40 --node_num=2 --code_uhub_path=uhub.service.ucloud.cn/demo/mnist_gpu:target "
      "--docker_cmd='-u /data/mnist.py --max_step=2000' --max_exec_time=7 "
      "--data_ufile_path=http://uai-demo.cn-bj.ufileos.com/mnist/data/ "
      "--output_ufile_path=http://uai-demo.cn-bj.ufileos.com/mnist/output/");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->packed_image, "uhub.service.ucloud.cn/demo/mnist_gpu:target");
  EXPECT_EQ(read->registry, "demo");
  EXPECT_TRUE(read->internal_uhub);
  EXPECT_EQ(read->main, "/data/mnist.py");
  EXPECT_EQ(read->train_params, "--max_step=2000");
  EXPECT_EQ(read->node_type, "1-P40");
  EXPECT_EQ(read->nodes, 2);
  EXPECT_EQ(read->hours, 7);
  EXPECT_EQ(read->bucket.name, "uai-demo");
  EXPECT_EQ(read->data_prefix, "mnist/data");
  EXPECT_EQ(read->memo, "a b");
  EXPECT_TRUE(read->code.empty());
}

TEST(OldCommand, AFlagMayBeCutShortWhereNoOtherBeginsSo) {
  const auto read =
      of_command("tf_tool.py pack --private=PRIV --uhub_passw p --ai tensorflow-1.1.0 --code=./c/ --p=1");
  ASSERT_TRUE(read);
  EXPECT_EQ(names_of(*read), (Words{"--private_key", "--uhub_password"}));
  EXPECT_EQ(read->arch, "tensorflow-1.1.0");
  EXPECT_TRUE(loses(*read, "`--p`"));
  EXPECT_TRUE(loses(*read, "`--code`"));  // code_path or code_uhub_path
}

TEST(OldCommand, AStartCommandOfVariablesIsKeptForAShell) {
  const std::string launch = "-m torch.distributed.launch --nproc_per_node $WORKER_GPU_NUM /data/train.py";
  const auto read = read_old_command({"tf_tool.py", "create", "--docker_cmd", launch, "--node_num=2"});
  ASSERT_TRUE(read);
  EXPECT_EQ(read->python_line, launch);
  EXPECT_EQ(cat(read->main, read->train_params), "");
  EXPECT_EQ(
      read_old_command({"tf_tool.py", "create", "--docker_cmd=/data/a.py --n=$WORKER_NUM"})->python_line,
      "/data/a.py --n=$WORKER_NUM");
  const auto broken = read_old_command({"tf_tool.py", "create", "--docker_cmd=/data/secret.py 'x"});
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message.find("`--docker_cmd`"), std::string::npos);
  EXPECT_EQ(broken.error().message.find("secret"), std::string::npos);
}

TEST(OldCommand, ResultsMayHaveABucketOfTheirOwn) {
  const auto read = of_command(
      "tf_tool.py create --data_ufile_path=http://in.cn-bj.ufileos.com/m/ "
      "--output_ufile_path=http://out.cn-gd.ufileos.com/m/out/");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->bucket.name, "in");
  EXPECT_EQ(read->output_bucket.name, "out");
  EXPECT_EQ(read->output_bucket.region, "cn-gd");
  EXPECT_TRUE(loses(*read, "the folder of `--output_ufile_path`"));
}

TEST(OldCommand, AUfsIsItsMountPointAndAFolder) {
  const auto read = of_command(
      "tf_tool.py create --data_ufs_path=a/b/ --data_ufs_mount_point=10.9.1.2:/ufs-x --output_ufs_path=o/p/ "
      "--output_ufs_mount_point=10.9.1.3:/ufs-y");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->ufs, "10.9.1.2:/ufs-x");
  EXPECT_EQ(read->ufs_data, "a/b/");
  EXPECT_TRUE(loses(*read, "UFS `10.9.1.3:/ufs-y`, where results went"));

  const auto both = of_command(
      "tf_tool.py create --data_ufs_path=a/b/ --data_ufs_mount_point=10.9.1.2:/ufs-x "
      "--data_ufile_path=http://in.cn-bj.ufileos.com/m/ --output_ufs_mount_point=10.9.1.3:/ufs-y");
  ASSERT_TRUE(both);
  EXPECT_EQ(both->ufs, "10.9.1.3:/ufs-y");
  EXPECT_EQ(both->ufs_data, "");
  EXPECT_TRUE(loses(*both, "`--data_ufs_path`"));
}

TEST(OldCommand, ABucketsAddressSaysItsRegion) {
  for (const auto& [host, region] :
       {std::pair("b.cn-gd.ufileos.com", "cn-gd"), std::pair("b.internal-cn-sh2-01.ufileos.com", "cn-sh2"),
        std::pair("b.internal-cn-guiyang1.ufileos.com", "cn-guiyang1"),
        std::pair("b.ufile.ucloud.com.cn", "")}) {
    const auto read = of_command(cat("tf_tool.py create --data_ufile_path=http://", host, "/m/"));
    ASSERT_TRUE(read) << host;
    EXPECT_EQ(read->bucket.name, "b") << host;
    EXPECT_EQ(read->bucket.region, region) << host;
    EXPECT_EQ(loses(*read, "where bucket `b` is"), std::string_view(region).empty());
  }
}

TEST(OldCommand, TheFrameworkOfADistributedJobHasAWordHere) {
  EXPECT_EQ(of_command("tf_tool.py create --dist_ai_frame=tensorflow")->distribution, "tf_config");
  EXPECT_EQ(of_command("mxnet_tool.py create --dist_ai_frame=mxnet")->distribution, "dmlc");
  EXPECT_TRUE(loses(*of_command("tf_tool.py create --dist_ai_frame=jax"), "`jax`"));
}

TEST(OldCommand, IsTheTextThatNamesAToolAndMore) {
  EXPECT_TRUE(is_old_command("sudo python ./caffe_tool.py pack"));
  for (const char* path : {"caffe_tool.py", "old/mnist", "my old project"})
    EXPECT_FALSE(is_old_command(path)) << path;
}

TEST(OldCommand, WhatIsNoneOrDescribesNoJobIsRefusedWithoutItsValues) {
  for (const char* command : {"docker run secret", "python tf_tool.py",
                              "python tf_tool.py stop --private_key=secret", "tf_tool.py pack secret",
                              "tf_tool.py pack --private_key", "tf_tool.py create --max_exec_time=never"}) {
    const auto read = of_command(command);
    ASSERT_FALSE(read) << command;
    EXPECT_EQ(read.error().message.find("secret"), std::string::npos) << read.error().message;
  }
  EXPECT_TRUE(loses(*of_command("tf_tool.py pack --strange=secret"), "`--strange`"));
  EXPECT_FALSE(loses(*of_command("tf_tool.py pack --strange=secret"), "secret"));
}

constexpr const char* kConfig =
    "dirname=my_first_job\n"
    "#!/bin/bash\n"
    "registry=demo   # of UHub\n"
    "base_image_cpu=uhub.service.ucloud.cn/uaishare/"
    "cpu_uaitrain_ubuntu-16.04_python-3.6_tensorflow-1.7.0:v1.0\n"
    "base_image_gpu=\"uhub.service.ucloud.cn/uaishare/gpu_uaitrain_ubuntu-16.04_python-3.6_tensorflow-1.7.0:"
    "v1.0\"\n"
    "target_image_gpu=${dirname/_/-}_gpu:target\n"
    "project_id=\"org-abc\"\n"
    "public_key=PUBLIC-VALUE\n"
    "private_key=\"PRIVATE-VALUE\"\n"
    "bucket_name=${dirname/_/-}-bucket\n"
    "export docker_cmd=\"/data/train.py --max_step=2000 --name='a b'\"\n"
    "max_exec_time=12\n";

TEST(OldScripts, SayWhatAProjectIs) {
  const auto read = read_old_scripts(kConfig, "");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->name, "my_first_job");
  EXPECT_EQ(read->registry, "demo");
  EXPECT_EQ(read->cpu_base,
            "uhub.service.ucloud.cn/uaishare/cpu_uaitrain_ubuntu-16.04_python-3.6_tensorflow-1.7.0:v1.0");
  EXPECT_EQ(read->project_id, "org-abc");
  EXPECT_EQ(read->bucket.name, "my-first_job-bucket");  // the shell replaces the first alone
  EXPECT_EQ(read->data_prefix, "my_first_job/data");
  EXPECT_EQ(read->main, "train.py");
  EXPECT_EQ(read->train_params, "--max_step=2000 --name='a b'");
  EXPECT_EQ(read->hours, 12);
  EXPECT_EQ(read->node_type, "1-P40");
  EXPECT_EQ(names_of(*read), (Words{"private_key", "public_key"}));
  EXPECT_EQ(read->lost, Words{});
}

TEST(OldScripts, NothingOfThemIsRunAndNoKeyGoesElsewhere) {
  const auto read = read_old_scripts(cat(kConfig, "proxy=$(curl http://x)\nsource ./more.sh\n",
                                         "max_exec_time=`date`\nregistry=$private_key\n"),
                                     "");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->registry, "demo");
  EXPECT_EQ(read->hours, 12);
  for (const char* line :
       {"configall.sh:13 (`proxy`)", "configall.sh:14 is more", "configall.sh:15", "configall.sh:16"})
    EXPECT_TRUE(loses(*read, line)) << line;
  EXPECT_FALSE(loses(*read, "curl"));
}

TEST(OldScripts, LinesOfADockerfileAreCommands) {
  const auto read =
      read_old_scripts(kConfig,
                       "# packages\nRUN pip3 install nltk \\\n  -i http://pypi.example.com/simple\n"
                       "run apt-get update\nENV MODE=fast\nCOPY a b\nENV API_KEY=x\n"
                       "RUN pip3 install -i http://me:secret@pypi.example.com a\n");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->run, (Words{"pip3 install nltk -i http://pypi.example.com/simple", "apt-get update"}));
  EXPECT_EQ(read->environment, (std::map<std::string, std::string>{{"MODE", "fast"}}));
  EXPECT_TRUE(loses(*read, "edit_image_cmd.txt:6, a line of `COPY`"));
  EXPECT_TRUE(loses(*read, "edit_image_cmd.txt:8, where a login stands"));
  EXPECT_EQ(names_of(*read), (Words{"private_key", "public_key", "API_KEY"}));
}

TEST(OldScripts, AProjectHasANameAndABase) {
  const auto read = read_old_scripts("dirname=x\n", "");
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().message.find("`base_image_gpu`"), std::string::npos);
}

}  // namespace
}  // namespace trainmake
