#include "rules/job/left_files.h"

#include <gtest/gtest.h>

#include "rules/job/outputs.h"
#include "tests/support/mem_fs.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

class Left : public testing::Test {
 protected:
  Left() {
    files_.put("/run/output/real/x", "");
    files_.put("/ckpt/last", "");
    files_.put("/etc/shadow", "");
    files_.put("/run/code", "");
  }
  LeftFiles in_container() {
    return *LeftFiles::in_container(
        files_, {{"/output", "/run/output"}, {"/checkpoint", "/ckpt"}, {"/a/place", "/run/output"}});
  }
  LeftFiles by_process() { return *LeftFiles::by_process(files_, {"/run/output", "/ckpt"}); }
  void link(const std::string& target) {
    files_.take_away("/run/output/l");
    files_.put_link("/run/output/l", target);
  }

  MemFileSystem files_;
};

std::string at(const LeftFiles& left, const std::string& path) {
  const auto found = left.find(path);
  return found ? found->at : found.error().message;
}

TEST_F(Left, AContainersLinksLeadByItsOwnNames) {
  for (const char* target :
       {"real/x", "/output/real/x", "/a/place/real/x", "../output/real/x", "./real/../real/x"}) {
    link(target);
    EXPECT_EQ(at(in_container(), "l"), "/run/output/real/x") << target;
  }
  link("/checkpoint/last");
  EXPECT_EQ(at(in_container(), "l"), "/ckpt/last");
  link("real");
  EXPECT_EQ(at(in_container(), "l/x"), "/run/output/real/x");
}

TEST_F(Left, WhatLeadsOutOfWhatAContainerWroteIsNeverLookedAt) {
  for (const char* target :
       {"/etc/shadow", "../../etc/shadow", "../etc/shadow", "/run/output/real/x", "../code"}) {
    link(target);
    const LeftFiles left = in_container();
    (void)files_.take_log();
    EXPECT_NE(at(left, "l").find("nothing that the job wrote"), std::string::npos) << target;
    for (const std::string& line : files_.take_log())
      EXPECT_NE(line.find(" /run/output"), std::string::npos) << line;
  }
  link("/");
  EXPECT_TRUE(in_container().find("l")->stat.is(FileKind::kOther)) << "nor is what is around it";
}

TEST_F(Left, AProcesssLinksLeadWhereverTheyDo) {
  link("/etc/shadow");
  EXPECT_EQ(at(by_process(), "l"), "/etc/shadow");
  link("../../ckpt/last");
  EXPECT_EQ(at(by_process(), "l"), "/ckpt/last");
}

TEST_F(Left, AProcesssLinksLeadToAFolderThatItSawElsewhere) {
  files_.put("/seen/README", "");
  files_.put_link("/way", "seen");
  link("/way/last");
  EXPECT_EQ(at(by_process(), "l"), "/seen/last");
  const LeftFiles left = *LeftFiles::by_process(files_, {"/run/output", "/ckpt"}, {{"/way", "/ckpt"}});
  EXPECT_EQ(at(left, "l"), "/ckpt/last");
  EXPECT_TRUE(left.is_written("/ckpt/last"));
}

TEST_F(Left, OurOwnWayToTheFoldersMayHaveLinks) {
  files_.put_link("/shortcut", "run");
  const LeftFiles left = *LeftFiles::in_container(files_, {{"/output", "/shortcut/output"}});
  EXPECT_EQ(at(left, "real/x"), "/run/output/real/x");
  EXPECT_TRUE(left.is_written("/run/output/real"));
  EXPECT_FALSE(left.is_written("/run"));
}

TEST_F(Left, LinksWithoutEndAreAnError) {
  link("l");
  EXPECT_EQ(at(in_container(), "l"), "Too many links lead on from `l`");
}

// An output that is a folder.
class LinksInAnOutput : public testing::Test {
 protected:
  LinksInAnOutput() {
    scratch_.write("out/d/ckpt-5/w", "5");
    scratch_.write("out/d/ckpt-5/deep/v", "v");
    scratch_.write("elsewhere/x", "x");
  }
  KeptOutputs kept() {
    FileSystem& files = real_file_system();
    Blobs blobs(files, scratch_.path("blobs"));
    const LeftFiles left = *LeftFiles::by_process(files, {scratch_.path("out")});
    return *keep_outputs(left, blobs, {{"d", "d"}}, {});
  }
  void link(const std::string& target, const char* path) {
    ASSERT_TRUE(real_file_system().make_link(target, scratch_.path(path)));
  }
  ScratchFolder scratch_;
};

TEST_F(LinksInAnOutput, ThatLeadToAFolderOfItAreItsFilesOnceMore) {
  link("ckpt-5", "out/d/best");
  const KeptOutputs answer = kept();
  EXPECT_EQ(answer.wrong, "");
  std::vector<std::string> names;
  for (const RunOutput& output : answer.outputs) names.push_back(output.name);
  EXPECT_EQ(names, (std::vector<std::string>{"d/best/deep/v", "d/best/w", "d/ckpt-5/deep/v", "d/ckpt-5/w"}));
  EXPECT_EQ(answer.outputs[0].path, "d/best/deep/v");
  EXPECT_EQ(answer.outputs[0].sha256, answer.outputs[2].sha256);
}

TEST_F(LinksInAnOutput, AreAmongAllItsFilesWhateverTheseAreCalled) {
  scratch_.write("out/d/.git/HEAD", "");
  scratch_.write("out/d/.trainmake/x", "");
  std::vector<std::string> names;
  for (const RunOutput& output : kept().outputs) names.push_back(output.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"d/.git/HEAD", "d/.trainmake/x", "d/ckpt-5/deep/v", "d/ckpt-5/w"}));
}

TEST_F(LinksInAnOutput, ThatLeadToAnotherFolderAreRefused) {
  link(scratch_.path("elsewhere"), "out/d/best");
  EXPECT_EQ(
      kept().wrong,
      "output `d` (d) cannot be kept: Link `d/best` leads to a folder that is not the job's own; let the "
      "job leave files, or links to files of its own, that can be read");
}

TEST_F(LinksInAnOutput, ThatLeadInACircleAreRefused) {
  link("..", "out/d/ckpt-5/up");
  EXPECT_NE(kept().wrong.find("Link `d/ckpt-5/up` leads to a folder that it lies in"), std::string::npos);
}

TEST_F(LinksInAnOutput, ThatLeadToOneAnotherAreRefused) {
  scratch_.write("out/d/b/x", "");
  link("../b", "out/d/ckpt-5/b");
  link("../ckpt-5", "out/d/b/a");
  EXPECT_NE(kept().wrong.find("leads to a folder that it lies in"), std::string::npos);
}

TEST_F(LinksInAnOutput, ThatLeadToNothingAreRefused) {
  link("gone", "out/d/best");
  EXPECT_NE(kept().wrong.find("Link `d/best` leads to nothing"), std::string::npos);
}

}  // namespace
}  // namespace trainmake
