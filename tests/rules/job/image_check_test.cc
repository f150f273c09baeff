// What a job's command begins with, and whether its image has that.
#include "rules/job/image_check.h"

#include <gtest/gtest.h>

#include "rules/job/contracts.h"
#include "tests/rules/job/local_world.h"

namespace trainmake {
namespace {

using Words = std::vector<std::string>;

TEST(ImageCheck, EnvNamesAnotherProgram) {
  EXPECT_EQ(programs_of({"python3", "/code/t.py"}), Words{"python3"});
  EXPECT_EQ(programs_of({"/usr/bin/env", "python3", "/code/t.py"}), (Words{"/usr/bin/env", "python3"}));
  EXPECT_EQ(programs_of({"/usr/bin/env", "-S", "python3"}), Words{"/usr/bin/env"});
  EXPECT_EQ(programs_of({"env", "A=1", "python3"}), Words{"env"});
  EXPECT_EQ(programs_of({"env"}), Words{"env"});
}

struct Image {
  Image() {
    folder.write("aa/usr/bin/env", "");
    folder.write("aa/usr/bin/python3.11", "");
    for (const char* program : {"env", "python3.11"})
      std::filesystem::permissions(folder.path(cat("aa/usr/bin/", program)), std::filesystem::perms(0755));
    std::filesystem::create_symlink("python3.11", folder.path("aa/usr/bin/python3"));
    folder.write("bb/code/plain", "");
    spec.root = ImageRoot{folder.path(""), {"bb", "aa"}, {}, ""};
  }
  std::string refusal(const Contract& contract = default_contract()) const {
    const auto fits = check_image(contract, spec);
    return fits ? "" : fits.error().message;
  }
  void run(Words command) {
    spec.command.clear();
    for (std::string& word : command) spec.command.push_back(text_value(std::move(word)));
  }

  ScratchFolder folder;
  JobSpec spec = spec_named(1);
};

TEST(ImageCheck, ACommandIsLookedUpAsInTheContainer) {
  Image image;
  image.run({"python3"});
  EXPECT_EQ(image.refusal(), "");
  image.run({"/usr/bin/env", "python4"});
  EXPECT_TRUE(image.refusal().starts_with("The image has no program `python4` in its PATH"))
      << image.refusal();
  image.run({"./plain"});
  EXPECT_EQ(image.refusal(), "The image has no `./plain` to run a command with") << "nobody may execute it";
  image.run({"/output/made-before"});
  EXPECT_EQ(image.refusal(), "") << "what will be there is not in the image";
  image.spec.root->environment["PATH"] = "/opt/bin";
  image.run({"python3"});
  EXPECT_EQ(image.refusal(), "The image has no program `python3` in its PATH `/opt/bin`");
}

TEST(ImageCheck, AMainFileIsRunByAProgramOfTheImage) {
  Image image;
  image.spec.main = "t.py";
  image.spec.starter = {{"/usr/bin/env", "python3"}};
  EXPECT_EQ(image.refusal(), "");
  image.spec.starter = {{"/opt/conda/bin/python3"}};
  EXPECT_EQ(image.refusal(),
            "The image has no `/opt/conda/bin/python3` to run a command with, with which `t.py` is run");
}

TEST(ImageCheck, TheDriverBringsProgramsToJobsWithGpus) {
  Image image;
  image.run({"nvidia-smi"});
  EXPECT_NE(image.refusal(), "");
  Value gpus;
  gpus.data = std::int64_t{1};
  image.spec.resources = Table({}, {{"gpus", gpus}});
  EXPECT_EQ(image.refusal(), "");
}

TEST(ImageCheck, CodeWhereTheContractWantsItIsNotInTheImage) {
  Image image;
  image.run({"/data/plain"});
  EXPECT_NE(image.refusal(), "");
  EXPECT_EQ(image.refusal(*contract_named(Space(), "uai")), "");
}

}  // namespace
}  // namespace trainmake
