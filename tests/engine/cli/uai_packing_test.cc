// What `export uai` writes for every image that UAI-Train published, in both dialects, of both variants and
// of the one for processors alone: a golden each, so that no row of the table goes unseen.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/text.h"
#include "rules/all.h"
#include "rules/job/platforms/uai/pack/pack_order.h"
#include "tests/lua/scratch.h"
#include "tests/support/golden.h"

namespace trainmake {
namespace {

constexpr const char* kTrainspace =
    "platform 'uai' { type = 'uai', registry = 'demo', internal_uhub = true, bucket = 'b' }\n";

// What `uai.base` says when it is asked for something that was not published.
std::string refusal_of(const std::string& wanted) {
  Scratch scratch(cat("image 'i' { base = uai.base { ", wanted, " } }"));
  scratch.options.modules = all_lua_modules();
  const Project project = scratch.load();
  EXPECT_EQ(project.errors.size(), 1U) << wanted;
  return project.errors.empty() ? "" : project.errors.front().message;
}

// The items of its list, which ends the message.
std::vector<std::string> listed_in(const std::string& message, const std::string& between) {
  constexpr std::string_view kBefore = "; it has ";
  std::string rest = message.substr(message.find(kBefore) + kBefore.size());
  std::vector<std::string> items;
  for (std::size_t at = rest.find(between); at != rest.npos; at = rest.find(between)) {
    items.push_back(rest.substr(0, at));
    rest = rest.substr(at + between.size());
  }
  items.push_back(rest);
  return items;
}

// Of `keras-2.1.6 with os = "...", python = "..."` what a TRAINFILE says.
std::string base_of(const std::string& arch, const std::string& row) {
  return cat("uai.base { arch = '", arch, "', ", row.substr(arch.size() + std::string(" with ").size()),
             " }");
}

struct Job {
  std::string base, words, of_image = {};
};

PackOrder order_of(const Job& job) {
  Scratch scratch(cat("code 'mnist' { srcs = glob 'code/**', main = 'train.py' }\n",
                      "data 'mnist' { files = glob 'data/**' }\n",
                      "image 'mnist-train' { code = 'code:mnist', base = ", job.base, job.of_image, " }\n",
                      "job 'mnist' { image = 'image:mnist-train', data = 'data:mnist', ", job.words, " }\n"));
  scratch.options.modules = all_lua_modules();
  scratch.write("TRAINSPACE.lua", kTrainspace);
  const Space space = scratch.load_trainspace();
  Resolver resolver(all_schemas(), "");
  resolver.ask({*parse_pattern("job:mnist", "")});
  resolver.add(scratch.load());
  const Resolver::Outcome outcome = resolver.finish();
  EXPECT_TRUE(no_errors(outcome.errors)) << job.base;
  if (outcome.graph.asked.empty()) return {};
  const auto order = pack_order_of(outcome.graph, outcome.graph[outcome.graph.asked.front()],
                                   *space.find("platform", "uai"), {"/work", "/data/test/data", ""});
  EXPECT_TRUE(order) << (order ? "" : order.error().message);
  return order.value_or(PackOrder{});
}

std::string text_of(const std::string& title, const Job& job) {
  const PackOrder order = order_of(job);
  std::string text;
  for (const auto& [name, dialect] :
       {std::pair("", PackDialect::kCurrent), std::pair(" of 2017", PackDialect::k2017)}) {
    for (const PackedFile& file : pack_files(order, dialect)) {
      const bool is_told = dialect == PackDialect::kCurrent || file.name == "uaitrain_cmd.txt";
      if (is_told) text += cat("== ", title, ": ", file.name, name, "\n", file.text);
    }
  }
  return text;
}

std::string words_for(const std::string& arch) {
  const bool is_caffe = arch.starts_with("caffe-");
  return is_caffe ? "solver = data_dir 'solver.prototxt', snapshot = data_dir 'iter_5000.solverstate'"
                  : "train_params = '--max_step=2000'";
}

TEST(UaiPacking, OfEveryPublishedImageIsAsTheToolsWroteIt) {
  const std::vector<std::string> archs = listed_in(refusal_of("arch = 'jax-1'"), ", ");
  EXPECT_GE(archs.size(), 20U);
  for (const std::string& arch : archs) {
    std::string text;
    for (const std::string& row : listed_in(refusal_of(cat("arch = '", arch, "', os = 'none'")), "; ")) {
      Job job{base_of(arch, row), words_for(arch)};
      text += text_of(row, job);
      job.base.replace(job.base.rfind('}'), 1, ", cpu = true }");
      job.of_image = ", variants = { 'cpu' }";
      text += text_of(cat(row, ", for processors alone"), job);
    }
    expect_golden(cat("uai/packed/", arch, ".txt"), text);
  }
}

TEST(UaiPacking, WhatIsMadeIsNotWhatIsToldOf) {
  const std::string base = "uai.base { arch = 'caffe-1.0.0' }";
  const PackOrder order = order_of({base, words_for("caffe-1.0.0"), ", variants = { 'gpu' }"});
  EXPECT_NE(order.cpu_base.find("/cpu_uaitrain_"), std::string::npos);
  EXPECT_EQ(order.left_out, std::vector<std::string>());
  const PackOrder unlisted = order_of({"uai.base { arch = 'pytorch-0.2.0' }", ""});
  ASSERT_EQ(unlisted.left_out.size(), 1U);
  EXPECT_NE(unlisted.left_out.front().find(unlisted.cpu_base), std::string::npos);
}

TEST(UaiPacking, WordsOfArgumentsReachTheProgramByteForByte) {
  const PackOrder order = order_of({"'r/x:1'", "args = { sep = 'a\\tb\\1' }"});
  EXPECT_EQ(order.train_params, "'--sep=a\tb\x01'");
}

TEST(UaiPacking, OfABaseOfOnesOwnThereIsNoImageForProcessors) {
  expect_golden("uai/packed/own.txt",
                text_of("registry.example.com/mine:1",
                        {"'registry.example.com/mine:1'", "train_params = '--max_step=2000'"}));
}

}  // namespace
}  // namespace trainmake
