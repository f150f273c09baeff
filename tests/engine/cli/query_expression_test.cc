#include "engine/cli/query_expression.h"

#include <gtest/gtest.h>

#include "engine/base/text.h"
#include "tests/engine/cli/small_graph.h"

namespace trainmake {
namespace {

Result<Expression> parse(const std::string& text) {
  return parse_expression(text, [](const std::string& word) { return parse_pattern(word, ""); });
}

std::string labels(const std::string& query) {
  static const Graph graph = small_graph();
  const Result<Expression> expression = parse(query);
  if (!expression) return expression.error().message;
  std::string text;
  for (const TargetId id : evaluate(*expression, graph))
    text += cat(text.empty() ? "" : " ", graph[id].label.shortest_from(""));
  return text;
}

TEST(Query, FindsLabelsAndPatterns) {
  EXPECT_EQ(labels("job:eval"), "job:eval");
  EXPECT_EQ(labels("//job:*"), "job:eval job:train");
  EXPECT_EQ(labels("//..."), "code:c data:a data:b image:i job:eval job:train");
  EXPECT_EQ(labels("\"job:eval\""), "job:eval");
}

TEST(Query, FollowsNeedsBothWays) {
  EXPECT_EQ(labels("deps(image:i)"), "code:c image:i");
  EXPECT_EQ(labels("rdeps(data:a)"), "data:a job:eval job:train");
  EXPECT_EQ(labels("rdeps(deps(data:a))"), "data:a job:eval job:train");
}

TEST(Query, ChoosesByKindAndAttribute) {
  EXPECT_EQ(labels("kind(data, //...)"), "data:a data:b");
  EXPECT_EQ(labels("attr(main, train.py, //...)"), "code:c");
  EXPECT_EQ(labels("attr(tags, text, //...)"), "data:a");
  EXPECT_EQ(labels("attr(params.lr, 0.5, //...)"), "job:train");
  EXPECT_EQ(labels("attr(params.lr, 0.6, //...)"), "");
  EXPECT_EQ(labels("attr(data, job:train, //...)"), "job:eval") << "a named channel counts";
}

TEST(Query, CombinesFromTheLeft) {
  EXPECT_EQ(labels("deps(job:train) - deps(image:i)"), "data:a data:b job:train");
  EXPECT_EQ(labels("deps(job:train) & kind(data, //...)"), "data:a data:b");
  EXPECT_EQ(labels("data:a + data:b"), "data:a data:b");
  EXPECT_EQ(labels("//... - data:a - data:b & kind(data, //...)"), "");
  EXPECT_EQ(labels("//... - (data:a - (data:b & kind(data, //...)))"),
            "code:c data:b image:i job:eval job:train");
}

TEST(Query, TellsWhatIsWrong) {
  for (const char* wrong :
       {"deps(job:train", "deps()", "deps(job:train))", "job:train &", "& job:train", "job:train job:eval",
        "job:train -job:eval", "frob(job:train)", "kind(jbo, //...)", "kind(job //...)", "attr(main, //...)",
        "\"job:train", "()", "", "job", "("}) {
    const Result<Expression> parsed = parse(wrong);
    ASSERT_FALSE(parsed) << wrong;
    EXPECT_EQ(parsed.error().blame, Blame::kUser) << wrong;
  }
  EXPECT_EQ(parse("kind(jbo, //...)").error().hint, "Did you mean `job`?");
  EXPECT_EQ(parse("dpes(job:a)").error().hint, "Did you mean `deps`?");
  EXPECT_EQ(labels("deps(job:train"), "Expected `)` in the query `deps(job:train`, got the end");
}

TEST(Query, IsBoundedInDepthAndLength) {
  const auto repeated = [](const std::string& text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += text;
    return out;
  };
  EXPECT_TRUE(parse(repeated("(", 90) + "job:a" + repeated(")", 90)));
  EXPECT_FALSE(parse(repeated("(", 100'000) + "job:a" + repeated(")", 100'000)));
  EXPECT_FALSE(parse(repeated("deps(", 100'000)));
  EXPECT_TRUE(parse("job:a" + repeated(" - job:a", 900)));
  EXPECT_FALSE(parse("job:a" + repeated(" - job:a", 100'000)));
}

TEST(Query, KnowsWhatToLoad) {
  const Expression expression = parse("deps(job:train) - kind(data, //a/...)").value();
  ASSERT_EQ(patterns_of(expression).size(), 2U);
  EXPECT_EQ(patterns_of(expression)[1].text(), "//a/...");
  EXPECT_FALSE(looks_at_everything(expression));
  EXPECT_TRUE(looks_at_everything(parse("job:a - rdeps(job:b)").value()));
}

}  // namespace
}  // namespace trainmake
