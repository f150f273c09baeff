// The code of a job.
#include "rules/job/entry.h"

#include "tests/rules/job/job_world.h"

namespace trainmake {
namespace {

// An image of one code target with `train.py` and a second one with `files`.
struct TwoCodes : JobWorld {
  explicit TwoCodes(const std::map<std::string, std::string>& files) {
    const Artifacts first = inputs.known[kImage];
    give_code(files, "train.py");
    inputs.known[kImage].insert(inputs.known[kImage].begin(), first.begin(), first.end());
  }
  Result<Entry> entry() {
    Listings listings(blobs);
    const JobServices services{host, workspace, space, platform_name, blobs, digests, runs, platform, "1"};
    return entry_of(listings, services, subject(), Files::kKept);
  }
};

TEST(JobCode, OfAllCodeTargetsOfTheImageInItsOrder) {
  TwoCodes world({{"lib/a.py", "1"}, {"lib/b.py", "2"}});
  const auto entry = world.entry();
  ASSERT_TRUE(entry) << entry.error().message;
  std::vector<std::string> keys;
  for (const ListedFile& file : *entry->code) keys.push_back(file.key);
  EXPECT_EQ(keys, (std::vector<std::string>{"train.py", "lib/a.py", "lib/b.py"}));
}

TEST(JobCode, TwoFilesAtOnePathAreAnError) {
  for (const char* other : {"train.py", "train.py/more.py"}) {
    TwoCodes world(std::map<std::string, std::string>{{other, "1"}});
    const auto entry = world.entry();
    ASSERT_FALSE(entry);
    EXPECT_EQ(entry.error().blame, Blame::kUser);
    EXPECT_NE(entry.error().message.find("`train.py`"), std::string::npos) << entry.error().message;
  }
}

TEST(JobCode, ForeseenOfAllCodeTargets) {
  JobWorld world;
  world.inputs.known.erase(JobWorld::kImage);
  world.graph.targets[JobWorld::kOther].label = *parse_label("code:more", "");
  world.graph.targets[JobWorld::kImage].needs.push_back({JobWorld::kOther, "code", ""});
  world.foresee(JobWorld::kCode, {{"a.py", ""}});
  world.foresee(JobWorld::kOther, {{"train.py", ""}});
  const auto description = world.describe();
  EXPECT_TRUE(description) << description.error().message;
}

}  // namespace
}  // namespace trainmake
