#include "engine/cli/causes.h"

#include "tests/engine/cli/small_graph.h"

namespace trainmake {
namespace {

struct Causes : testing::Test {
  Graph graph = small_graph();
  Plan plan;

  Causes() { plan.steps.resize(graph.targets.size()); }
  TargetId id(const char* label) const { return *graph.find(*parse_label(label, "")); }
  void reasons(const char* label, std::vector<Reason> reasons) {
    plan.steps[id(label)].reasons = std::move(reasons);
  }
  // "0 //data:b, 1 data/b/x", as depth and name
  std::string told(const char* label) const {
    std::string text;
    for (const Cause& cause : causes_of(graph, plan, id(label), {}))
      text += (text.empty() ? "" : ", ") + std::to_string(cause.depth) + " " + cause.reason.name;
    return text;
  }
  static Reason upstream(const char* label) {
    return {ReasonKind::kUpstreamChanged, Section::kUpstream, label};
  }
  static Reason file(const char* path) { return {ReasonKind::kInputChanged, Section::kData, path}; }
};

TEST_F(Causes, StandBelowTheUpstreamThatTheyChange) {
  reasons("code:c", {{ReasonKind::kInputAdded, Section::kCode, "code/x.py"}});
  reasons("image:i", {upstream("//code:c")});
  reasons("job:train", {upstream("//image:i"), {ReasonKind::kInputChanged, Section::kAttr, "params.lr"}});
  EXPECT_EQ(told("job:train"), "0 //image:i, 1 //code:c, 2 code/x.py, 0 params.lr");
}

TEST_F(Causes, AreToldOnceOfATargetThatIsReachedTwice) {
  reasons("data:b", {file("data/b/x")});
  reasons("job:train", {upstream("//data:b")});
  reasons("job:eval", {upstream("//data:b"), upstream("//job:train")});
  EXPECT_EQ(told("job:eval"), "0 //data:b, 1 data/b/x, 0 //job:train, 1 //data:b");
}

TEST_F(Causes, EndAtWhatIsNotInTheGraph) {
  reasons("job:train", {upstream("//data:gone"), upstream("no label")});
  EXPECT_EQ(told("job:train"), "0 //data:gone, 0 no label");
}

}  // namespace
}  // namespace trainmake
