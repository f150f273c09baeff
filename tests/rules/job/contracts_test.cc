// What each contract makes of one job, as goldens; and what may be declared.
#include "rules/job/contracts.h"

#include <gtest/gtest.h>

#include "rules/job/contract_layout.h"
#include "rules/job/placeholders.h"
#include "tests/rules/job/job_world.h"
#include "tests/support/golden.h"

namespace trainmake {
namespace {

JobSpec some_job() {
  JobSpec spec;
  spec.run = "0123456789ab";
  spec.label = "//job:j";
  spec.main = "train.py";
  spec.starter = {{"python3"}};
  spec.args = {{"solver", value_of(PlacedPath{Place::kData, "solver.json"})}};
  spec.params = {{"augment", value_of(true)},
                 {"deep", value_of(false)},
                 {"learning-rate", value_of(0.1)},
                 {"n", value_of(std::int64_t{3})},
                 {"name", value_of(std::string("a b"))},
                 {"sizes", value_of(Table{{value_of(std::int64_t{3}), value_of(std::int64_t{4})}, {}})}};
  spec.resources = Table({}, {{"cpus", value_of(1.5)}, {"gpus", value_of(std::int64_t{2})}});
  for (const char* channel : {"train", "", "eval"})
    spec.data.push_back({"//data:d", channel, std::make_shared<const Listing>()});
  return spec;
}

Folders folders_of(const Contract& contract) {
  const Folders real{"/run/code",       "/run/data", "/run/output",     "/run/checkpoint",
                     "/run/log_folder", "/run/home", "/run/params.json"};
  return layout_below(contract, some_job(), real, "").folders;
}

std::string shown(const Contract& contract, const Rank& rank = {}) {
  const JobSpec spec = some_job();
  const Folders folders = folders_of(contract);
  const RenderedJob job = render(contract, spec, folders, "/bin", rank);
  std::string text = cat(contract.version, " in ", job.folder, "\n\n");
  for (const std::string& word : job.arguments) text += cat(word, "\n");
  text += "\n";
  for (const auto& [name, value] : job.environment) text += cat(name, "=", value, "\n");
  for (const auto& [path, content] : render_files(contract, spec, folders, rank))
    text += cat("\n", path, "\n", content, "\n");
  return text;
}

Contract built_in(const char* name) { return *contract_named(Space(), name); }

TEST(Contracts, DefaultIsAsItEverWas) {
  EXPECT_EQ(default_contract().version, "default/1");
  expect_golden("contracts/default.txt", shown(built_in("default")));
}
// The local tests that the vendor's tools wrote down were told the same.
TEST(Contracts, UnderUaiPythonIsThePlatformsAndCaffeIsToldOfProcessors) {
  JobSpec spec = some_job();
  const Contract contract = built_in("uai");
  const auto words = [&] { return render(contract, spec, folders_of(contract), "/bin").arguments; };
  const auto has = [&](const char* word) {
    const std::vector<std::string> all = words();
    return std::find(all.begin(), all.end(), word) != all.end();
  };
  spec.starter = {{"/usr/bin/env", "python3.6"}};
  EXPECT_EQ(words().front(), "/usr/bin/python");
  spec.starter = {{"sh"}};
  EXPECT_EQ(words().front(), "sh");
  spec.framework = "caffe";
  EXPECT_TRUE(has("--use_cpu=False"));
  spec.resources = Table();
  EXPECT_TRUE(has("--use_cpu=True"));
  spec.framework = "tensorflow";
  EXPECT_FALSE(has("--use_cpu=True"));
}

TEST(Contracts, AVariantHasItsAccelerators) {
  const auto gpus_of = [](const char* variant, Table asked) {
    PlatformTraits traits;
    traits.variant = variant;
    return count_of(resources_there(traits, std::move(asked)), "gpus", 0);
  };
  const Table machine({}, {{"node_type", value_of(std::string("4-P40"))}});
  const Table said({}, {{"gpus", value_of(std::int64_t{2})}});
  EXPECT_EQ(gpus_of("", machine), 0) << "no machine of this platform";
  EXPECT_EQ(gpus_of("gpu", machine), 4);
  EXPECT_EQ(gpus_of("cpu", said), 0);
  EXPECT_EQ(gpus_of("gpu", said), 2);
}

TEST(Contracts, UaiTellsByFlags) { expect_golden("contracts/uai.txt", shown(built_in("uai"))); }
TEST(Contracts, TiTellsByVariablesAndFiles) { expect_golden("contracts/ti.txt", shown(built_in("ti"))); }
TEST(Contracts, SageMakerIsTisElder) {
  expect_golden("contracts/sagemaker.txt", shown(built_in("sagemaker")));
}
TEST(Contracts, MoXingTrainsIntoAFolder) { expect_golden("contracts/moxing.txt", shown(built_in("moxing"))); }

TEST(Contracts, AProcessWithoutGpusIsNotToldOfAny) {
  const std::string text = shown(built_in("moxing"), {.has_gpus = false});
  EXPECT_EQ(text.find("--num_gpus"), std::string::npos);
  EXPECT_NE(text.find("MA_NUM_GPUS=0"), std::string::npos);
}

Value texts(std::map<std::string, std::string> named) {
  std::map<std::string, Value> values;
  for (auto& [name, text] : named) values[name] = value_of(std::move(text));
  return table_of(std::move(values));
}

Space space_with(std::map<std::string, Value> attributes, const std::string& name = "mine") {
  Space space;
  space.services.push_back(
      {"contract", name, *table_of(std::move(attributes)).table(), {"TRAINSPACE.lua", 2}});
  return space;
}

std::string errors_of(const Space& space) {
  std::string told;
  for (const Error& error :
       check(contract_schema(), space.services[0].attributes, space.services[0].where, "contract mine"))
    told += cat(error.message, " | ", error.hint, "\n");
  return told;
}

TEST(Contracts, OneThatIsDeclaredIsRenderedAsItSays) {
  const Space space = space_with(
      {{"folders", texts({{"code", "/app"}, {"data", "/app/in"}, {"output", "/out"}})},
       {"variables", texts({{"IN_{CHANNEL}", "{data}/{channel}"}, {"GPUS", "{gpus}"}})},
       {"flags", texts({{"out", "{output}"}, {"nothing", ""}})},
       {"files", texts({{"/etc/job.json", "{params_json}"}})},
       {"arguments", texts({{"form", "--name=value"}, {"booleans", "true/false"}, {"lists", "repeated"}})}});
  ASSERT_EQ(errors_of(space), "");
  Contract contract = *contract_named(space, "mine");
  EXPECT_TRUE(contract.version.starts_with("mine/"));
  contract.version = "mine";
  expect_golden("contracts/mine.txt", shown(contract));
}

TEST(Contracts, AnotherContentIsAnotherVersion) {
  const Space one = space_with({{"flags", texts({{"out", "{output}"}})}});
  const Space other = space_with({{"flags", texts({{"out", "{log}"}})}});
  EXPECT_NE(contract_named(one, "mine")->version, contract_named(other, "mine")->version);
  EXPECT_EQ(contract_named(one, "mine")->version, contract_named(one, "mine")->version);
}

TEST(Contracts, WhatIsWrongWithOneIsTold) {
  const struct {
    std::map<std::string, Value> attributes;
    const char* told;
  } cases[] = {
      {{{"variabels", texts({})}}, "Did you mean `variables`?"},
      {{{"variables", texts({{"A", "{dta}"}})}},
       "`{dta}` stands for nothing in a contract | Did you mean `data`?"},
      {{{"variables", texts({{"A=B", ""}})}}, "No environment variable can be named `A=B`"},
      {{{"files", texts({{"etc/x", ""}})}}, "`etc/x` is no absolute path"},
      {{{"folders", texts({{"code", "/c"}, {"data", "/d"}})}}, "does not say where the job's output lies"},
      {{{"folders", texts({{"code", "/c"}, {"data", "/c"}, {"output", "/o"}})}},
       "Two folders cannot be `/c`"},
      {{{"folders", texts({{"code", "/c"}, {"data", "/../d"}, {"output", "/o"}})}},
       "`/../d` is no absolute path"},
      {{{"arguments", texts({{"booleans", "true/flase"}})}}, "Did you mean `true/false`?"},
      {{{"arguments", texts({{"lists", "xml"}})}}, "expected `words` or `commas` or `json` or `repeated`"},
  };
  for (const auto& each : cases)
    EXPECT_NE(errors_of(space_with(each.attributes)).find(each.told), std::string::npos)
        << each.told << " in " << errors_of(space_with(each.attributes));
}

TEST(Contracts, ATakenNameAndAnUnknownOneAreErrors) {
  Space space = space_with({}, "uai");
  ASSERT_EQ(wrong_contracts(space).size(), 1U);
  space = space_with({});
  Service platform{"platform", "p", *texts({{"contract", "mien"}}).table(), {"TRAINSPACE.lua", 5}};
  space.services.push_back(platform);
  const std::vector<Error> errors = wrong_contracts(space);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].message, "There is no contract `mien`");
  EXPECT_EQ(errors[0].hint, "Did you mean `mine`?");
  EXPECT_EQ(errors[0].where.file, "TRAINSPACE.lua");
}

TEST(Contracts, FoldersThatLieInEachOtherAreLinksOutOfEachOther) {
  const Folders real{"/r/code", "/r/data", "/r/output", "/k", "/r/log", "/r/home", "/r/params.json"};
  const ContractLayout layout = layout_below(built_in("uai"), some_job(), real, "/r/places");
  std::string links;
  for (const ContractLayout::Link& link : layout.links) links += cat(link.at, " -> ", link.to, "\n");
  EXPECT_EQ(links,
            "/r/places/data -> /r/code\n/r/code/data -> /r/data\n/r/code/output -> /r/output\n"
            "/r/output/checkpoint -> /k\n");
  EXPECT_EQ(layout.folders.data, "/r/places/data/data");
  EXPECT_TRUE(layout_below(default_contract(), some_job(), real, "/r/places").links.empty());
}

TEST(Contracts, WhatTheCodeHasInTheWayIsAnError) {
  const Folders real{"/r/code", "/r/data", "/r/output", "/k", "/r/log", "/r/home", "/r/params.json"};
  const ContractLayout layout = layout_below(built_in("uai"), some_job(), real, "/r/places");
  const struct {
    const char* key;
    bool is_fine;
  } cases[] = {
      {"train.py", true}, {"lib/data/x", true}, {"data/x", false}, {"output", false}, {"outputs", true}};
  for (const auto& [key, is_fine] : cases) {
    ListedFile file;
    file.key = key;
    EXPECT_EQ(check_code(layout, {file}, "/r/code").has_value(), is_fine) << key;
  }
}

TEST(Contracts, ABraceThatBeginsNoPlaceholderIsItself) {
  Filling filling;
  filling.words = {{"a", "x{a}"}};
  EXPECT_EQ(filled({{"n", "{{a}} {b} {\"a\":{a}} {"}}, filling)[0].second, "{x{a}} {b} {\"a\":x{a}} {");
  EXPECT_EQ(placeholders_in("{a}{ b}{B_c}"), (std::vector<std::string>{"a", "B_c"}));
}

TEST(Contracts, SaysWhichNameHosts) {
  EXPECT_TRUE(names_hosts(built_in("ti")));
  EXPECT_FALSE(names_hosts(built_in("moxing")));
}

}  // namespace
}  // namespace trainmake
