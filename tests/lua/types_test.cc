// What an editor is told of the globals and attributes.
#include "lua/types.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "lua/globals.h"
#include "tests/lua/scratch.h"

namespace trainmake {
namespace {

Schema job_schema_for_test() {
  Schema schema{"job", "Runs an image.", {}};
  schema.attributes.push_back({"image", Shape::kLabel, "What runs", true});
  schema.attributes.push_back({"params", Shape::kScalarMap, "Two\nlines"});
  schema.attributes.push_back({"args", Shape::kArguments, ""});
  const std::vector<Attribute> fields = {{"nodes", Shape::kInteger, ""}, {"memory", Shape::kString, ""}};
  schema.attributes.push_back({"resources", Shape::kTable, "", false, Effect::kResult, {}, {}, fields});
  return schema;
}

TEST(Types, AKindHasAClassWithItsAttributes) {
  const Schema schema = job_schema_for_test();
  EXPECT_TRUE(says(luals_types({&schema}), R"(
---@class (exact) trainmake.job
---@field image string What runs
---@field params? table<string, trainmake.scalar> Two lines
---@field args? table<string, trainmake.argument>
---@field resources? { nodes?: integer, memory?: string }

---Runs an image.
---@param name string
---@return fun(attributes: trainmake.job)
function job(name) end
)"));
}

TEST(Types, EveryGlobalHasAFunction) {
  std::vector<Schema> schemas;
  std::vector<const Schema*> borrowed;
  for (const std::string_view kind : {"code", "data", "image", "job"})
    schemas.push_back({std::string(kind), "", {}});
  for (const Schema& schema : schemas) borrowed.push_back(&schema);
  const std::string meta = luals_types(borrowed);
  for (const Global& global : globals())
    EXPECT_TRUE(says(meta, cat("\nfunction ", global.name, "("))) << global.name;
}

TEST(Types, TheMetaFileIsLua) {
  const Schema schema = job_schema_for_test();
  const std::string meta = luals_types({&schema});
  EXPECT_TRUE(meta.starts_with("---@meta"));
  EXPECT_TRUE(no_errors(load_text(meta).errors));
}

TEST(Types, TheSettingsPointAtTheMetaFile) {
  const auto settings = nlohmann::json::parse(luarc_json(".trainmake/types"));
  EXPECT_EQ(settings["runtime.version"], "Lua 5.4");
  EXPECT_EQ(settings["workspace.library"], nlohmann::json({".trainmake/types"}));
  EXPECT_EQ(settings["runtime.builtin"]["os"], "disable");
  EXPECT_EQ(settings["diagnostics.globals"].size(), globals().size());
}

}  // namespace
}  // namespace trainmake
