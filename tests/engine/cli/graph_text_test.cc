#include "engine/cli/graph_text.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/cli/query_expression.h"
#include "tests/engine/cli/small_graph.h"

namespace trainmake {
namespace {

std::vector<TargetId> all_of(const Graph& graph) {
  std::vector<TargetId> targets(graph.targets.size());
  for (TargetId id = 0; id < targets.size(); ++id) targets[id] = id;
  return with_needs(graph, targets);
}

TEST(GraphText, TreeShowsEachTargetsNeedsOnce) {
  const Graph graph = small_graph();
  EXPECT_EQ(graph_tree(graph, all_of(graph), ""),
            "job:eval\n"
            "  image:i\n"
            "    code:c\n"
            "  data:b\n"
            "  job:train as model\n"
            "    image:i ...\n"
            "    data:a\n"
            "    data:b\n");
}

TEST(GraphText, DotHasAnArrowForEachNeed) {
  const Graph graph = small_graph();
  const std::string dot = graph_dot(graph, all_of(graph), "");
  EXPECT_NE(dot.find("\"job:eval\" -> \"job:train\" [label=\"model\"];"), std::string::npos) << dot;
  std::size_t arrows = 0;
  for (std::size_t at = dot.find("->"); at != std::string::npos; at = dot.find("->", at + 2)) ++arrows;
  EXPECT_EQ(arrows, 7U);
}

TEST(GraphText, PageHasABoxForEachTargetAndALineForEachNeed) {
  const Graph graph = small_graph();
  const std::string page = graph_html(graph, all_of(graph), "");
  const auto count = [&](const std::string& part) {
    std::size_t times = 0;
    for (std::size_t at = page.find(part); at != std::string::npos; at = page.find(part, at + 1)) ++times;
    return times;
  };
  EXPECT_EQ(count("<rect"), 6U);
  EXPECT_EQ(count("<path"), 7U);
  EXPECT_EQ(count("job:eval needs job:train as model"), 1U);
  EXPECT_EQ(count("http"), 0U) << "it needs nothing from elsewhere";
}

TEST(GraphText, ALongChainIsNoTrouble) {
  std::string trainfile =
      "code \"c\" { srcs = glob \"code/**\" }\nimage \"i\" { code = \"code:c\", base = \"scratch\" }\njob "
      "\"j0\" { image = \"image:i\" }\n";
  trainfile +=
      "for i = 1, 2000 do job(\"j\" .. i) { image = \"image:i\", data = { m = \"job:j\" .. (i - 1) } } end\n";
  const Graph graph = small_graph(trainfile);
  const std::string tree = graph_tree(graph, all_of(graph), "");
  EXPECT_EQ(tree.substr(0, tree.find('\n')), "job:j2000");
}

}  // namespace
}  // namespace trainmake
