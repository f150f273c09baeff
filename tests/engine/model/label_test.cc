#include "engine/model/label.h"

#include <gtest/gtest.h>

#include <random>

namespace trainmake {
namespace {

TEST(Label, ReadsEveryForm) {
  EXPECT_EQ(parse_label("job:mnist", "vision/mnist")->text(), "//vision/mnist/job:mnist");
  EXPECT_EQ(parse_label("//vision/mnist/job:mnist", "text")->text(), "//vision/mnist/job:mnist");
  EXPECT_EQ(parse_label("mnist/job:mnist", "vision")->text(), "//vision/mnist/job:mnist");
  EXPECT_EQ(parse_label("//job:mnist", "vision")->text(), "//job:mnist");
  EXPECT_EQ(parse_label("../text/job:k", "vision")->text(), "//text/job:k");
  EXPECT_EQ(parse_label("//my project/job:x", "")->folder, "my project");
}

TEST(Label, RefusesWhatIsNone) {
  for (const char* text : {"", "job", "job:", ":x", "jobs:x", "///job:x", "../job:x", "job:a b", "job:-x",
                           "job:.x", "job:a*", "//a*/job:x", "job:x\n"}) {
    EXPECT_FALSE(parse_label(text, "")) << text;
  }
}

TEST(Label, DotsThatMeanManyFoldersStandForNone) {
  for (const char* text : {"a/.../job:x", "//.../job:x", "a/..././job:x", "//a/.../b/job:x"})
    EXPECT_FALSE(parse_label(text, "")) << text;
  EXPECT_FALSE(parse_pattern("a/..././job:x", "")) << "would read back as `a/.../job:x`";
  EXPECT_TRUE(parse_label("a/..../job:x", ""));
}

TEST(Label, SuggestsTheKindThatWasMeant) {
  EXPECT_NE(parse_label("jbo:x", "").error().hint.find("`job`"), std::string::npos);
}

TEST(Label, PrintsTheShortestFormThatWorks) {
  const Label label{"vision/mnist", "job", "x"};
  EXPECT_EQ(label.shortest_from("vision/mnist"), "job:x");
  EXPECT_EQ(label.shortest_from("vision"), "mnist/job:x");
  EXPECT_EQ(label.shortest_from(""), "vision/mnist/job:x");
  EXPECT_EQ(label.shortest_from("text"), "//vision/mnist/job:x");
  EXPECT_EQ((Label{"", "job", "x"}).shortest_from("text"), "//job:x");
}

TEST(Label, WhatIsPrintedReadsBackFromWhereverItWasPrinted) {
  std::mt19937 random(7);
  const auto pick = [&](std::string_view from) { return from[random() % from.size()]; };
  for (int round = 0; round < 2000; ++round) {
    const auto folder = [&] {
      std::string text;
      for (auto depth = random() % 4; depth > 0; --depth) {
        text += text.empty() ? "" : "/";
        for (auto length = 1 + random() % 5; length > 0; --length) text += pick("abz09_- .é");
        if (text.ends_with('.')) text += 'x';
        if (text.ends_with(' ')) text += 'y';
      }
      return text;
    };
    std::string name(1, pick("abcXYZ09_"));
    for (auto length = random() % 8; length > 0; --length) name += pick("ab9_.+=@~-");
    const Label label{folder(), std::string(kKinds[random() % 4]), name};
    const std::string here = folder();
    for (const std::string& text : {label.text(), label.shortest_from(here)}) {
      const Result<Label> back = parse_label(text, here);
      ASSERT_TRUE(back) << text << " from " << here;
      EXPECT_EQ(*back, label) << text << " from " << here;
    }
  }
}

TEST(Pattern, FitsWhatItSays) {
  const Label label{"vision/mnist", "job", "sweep-1"};
  for (const char* text : {"//...", "//vision/...", "//vision/.../job:*", "//vision/mnist/job:*",
                           "//vision/mnist/*:sweep-1", "//.../job:sweep-*", "//vision/mnist/job:sweep-1"}) {
    EXPECT_TRUE(parse_pattern(text, "")->fits(label)) << text;
  }
  for (const char* text :
       {"//text/...", "//vision/job:*", "//vision/.../data:*", "//.../job:s", "//vis/..."}) {
    EXPECT_FALSE(parse_pattern(text, "")->fits(label)) << text;
  }
}

TEST(Pattern, IsTakenFromHere) {
  EXPECT_TRUE(parse_pattern("...", "vision")->fits({"vision/mnist", "job", "x"}));
  EXPECT_FALSE(parse_pattern("...", "vision")->fits({"text", "job", "x"}));
  EXPECT_TRUE(parse_pattern("job:*", "vision")->fits({"vision", "job", "x"}));
  EXPECT_FALSE(parse_pattern("job:*", "vision")->fits({"vision/mnist", "job", "x"}));
}

TEST(Pattern, OfOneLabelIsThatLabel) {
  EXPECT_TRUE(parse_pattern("job:x", "a")->is_label());
  EXPECT_EQ(parse_pattern("job:x", "a")->label().text(), "//a/job:x");
  EXPECT_FALSE(parse_pattern("//a/job:*", "")->is_label());
}

TEST(Pattern, PrintsWhatItReads) {
  for (const char* text :
       {"//...", "//vision/...", "//vision/.../job:*", "//vision/job:x*", "//job:*", "//a:b/.../*:*"})
    EXPECT_EQ(parse_pattern(text, "")->text(), text);
}

}  // namespace
}  // namespace trainmake
