// Every platform, and the fake one, against the conformance suite.
#include <cstdlib>

#include "tests/rules/job/container_world.h"
#include "tests/rules/job/local_world.h"
#include "tests/rules/job/slurm_world.h"
#include "tests/rules/job/uai_world.h"
#include "tests/support/fake_platform.h"
#include "tests/support/platform_conformance.h"

namespace trainmake {
namespace {

class FakeHarness final : public PlatformHarness {
 public:
  Platform& platform() override { return platform_; }
  JobSpec spec(Act act) override {
    JobSpec spec = spec_named(++number_);
    spec.command = {text_value(act == Act::kSucceed ? "succeed" : act == Act::kFail ? "fail" : "wait")};
    return spec;
  }
  void release() override { platform_.release(); }
  int starts(const JobSpec&) override { return platform_.starts; }

 private:
  ScratchFolder folder_;
  FakePlatform platform_{folder_.path()};
  int number_ = 0;
};

// Over a world whose jobs are processes of this machine.
template <typename World>
class WorldHarness : public PlatformHarness {
 public:
  template <typename... Given>
  explicit WorldHarness(Given... given) : world_(given...) {}
  Platform& platform() override { return world_.platform; }
  JobSpec spec(Act act) override {
    const std::string gate = world_.folder.path("gate");
    const std::string wait =
        act == Act::kWait ? cat("while ! test -e ", gate, "; do sleep 0.01; done; ") : "";
    const std::string end = act == Act::kFail ? "exit 3" : "printf result > \"$TRAINMAKE_OUTPUT_DIR/o.txt\"";
    ++number_;
    return script_spec(
        number_, cat("printf x >> ", world_.folder.path(cat("run", number_)), "; echo hello; ", wait, end));
  }
  void release() override { world_.folder.write("gate", ""); }
  int starts(const JobSpec& spec) override { return static_cast<int>(world_.folder.read(spec.run).size()); }

 private:
  World world_;
  int number_ = 0;
};

// In there nothing is seen of this machine but what a job may write to.
template <typename World>
class ContainerHarness final : public PlatformHarness {
 public:
  template <typename... Given>
  explicit ContainerHarness(Given... given) : world_(given...) {}
  Platform& platform() override { return world_.platform; }
  JobSpec spec(Act act) override {
    const std::string wait =
        act == Act::kWait ? "while ! test -e \"$TRAINMAKE_LOG_DIR/gate\"; do sleep 0.01; done; " : "";
    const std::string end = act == Act::kFail ? "exit 3" : "printf result > \"$TRAINMAKE_OUTPUT_DIR/o.txt\"";
    return world_.inside(
        script_spec(++number_, cat("printf x >> \"$TRAINMAKE_LOG_DIR/starts\"; echo hello; ", wait, end)));
  }
  void release() override {
    for (int run = 1; run <= number_; ++run) world_.folder.write(in_log(cat("run", run), "gate"), "");
  }
  int starts(const JobSpec& spec) override {
    return static_cast<int>(world_.folder.read(in_log(spec.run, "starts")).size());
  }

 private:
  std::string in_log(const std::string& run, const char* name) {
    return path_join(world_.log_folder(run), name);
  }

  World world_;
  int number_ = 0;
};

class UaiHarness final : public PlatformHarness {
 public:
  Platform& platform() override { return world_.platform; }
  JobSpec spec(Act act) override {
    const std::string wait =
        act == Act::kWait ? cat("until test -e ", world_.folder.path("gate"), "; do sleep 0.01; done; ") : "";
    const std::string end = act == Act::kFail ? "exit 3" : "printf result > /data/output/o.txt";
    ++number_;
    return UaiWorld::spec(
        number_, cat("printf x >> ", world_.folder.path(cat("run", number_)), "; echo hello; ", wait, end));
  }
  void release() override { world_.folder.write("gate", ""); }
  int starts(const JobSpec& spec) override { return static_cast<int>(world_.folder.read(spec.run).size()); }
  bool tells_exit_codes() override { return false; }

 private:
  UaiWorld world_;
  int number_ = 0;
};

using LocalHarness = WorldHarness<LocalWorld>;
using FakeSlurmHarness = WorldHarness<SlurmWorld>;
using LocalContainerHarness = ContainerHarness<ContainerWorld>;
using FakeSlurmContainerHarness = ContainerHarness<SlurmContainerWorld>;

class SlurmHarness final : public WorldHarness<SlurmWorld> {
 public:
  SlurmHarness() : WorldHarness(&real_processes()) {}
};

template <typename Harness>
std::unique_ptr<PlatformHarness> make() {
  return std::make_unique<Harness>();
}

std::unique_ptr<PlatformHarness> make_slurm_containers() {
  return std::make_unique<ContainerHarness<SlurmContainerWorld>>(&real_processes());
}

// None, unless daemons are there to be used: tests/e2e/slurm_cluster.py starts some, and says so.
std::vector<MakeHarness> real_slurm() {
  if (std::getenv("TRAINMAKE_TEST_SLURM") == nullptr) return {};
  std::vector<MakeHarness> both = {&make<SlurmHarness>};
  if (ContainerWorld::why_not().empty()) both.push_back(&make_slurm_containers);
  return both;
}

// None where no container can be run.
std::vector<MakeHarness> containers() {
  if (!ContainerWorld::why_not().empty()) return {};
  return {&make<LocalContainerHarness>, &make<FakeSlurmContainerHarness>};
}

INSTANTIATE_TEST_SUITE_P(Fake, PlatformConformance, ::testing::Values(&make<FakeHarness>));
INSTANTIATE_TEST_SUITE_P(Local, PlatformConformance, ::testing::Values(&make<LocalHarness>));
INSTANTIATE_TEST_SUITE_P(Container, PlatformConformance, ::testing::ValuesIn(containers()));
INSTANTIATE_TEST_SUITE_P(Uai, PlatformConformance, ::testing::Values(&make<UaiHarness>));
INSTANTIATE_TEST_SUITE_P(FakeSlurm, PlatformConformance, ::testing::Values(&make<FakeSlurmHarness>));
INSTANTIATE_TEST_SUITE_P(Slurm, PlatformConformance, ::testing::ValuesIn(real_slurm()));

}  // namespace
}  // namespace trainmake
