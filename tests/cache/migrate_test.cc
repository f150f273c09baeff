#include "cache/migrate.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

constexpr std::array<const char*, 2> kSteps = {
    "ALTER TABLE things ADD COLUMN size INTEGER NOT NULL DEFAULT 1; UPDATE things SET size = length(name)",
    "CREATE INDEX things_by_size ON things (size)"};
constexpr Migrations kFirst{"CREATE TABLE things (name TEXT)", {}};
constexpr Migrations kThird{
    "CREATE TABLE things (name TEXT, size INTEGER NOT NULL DEFAULT 1); CREATE INDEX things_by_size ON things "
    "(size)",
    kSteps};

std::unique_ptr<Database> database_at(const std::string& path) {
  return *Database::open(path, Database::Mode::kWrite);
}

TEST(Migrate, MakesTheNewestInAnEmptyDatabase) {
  const ScratchFolder folder;
  const auto database = database_at(folder.path("a.db"));
  EXPECT_EQ(*schema_version(*database, kThird), 0);
  ASSERT_TRUE(raise_schema(*database, kThird));
  EXPECT_EQ(*schema_version(*database, kThird), 3);
}

TEST(Migrate, RaisesAnOlderOneAndKeepsWhatIsInIt) {
  const ScratchFolder folder;
  {
    const auto old = database_at(folder.path("a.db"));
    ASSERT_TRUE(raise_schema(*old, kFirst));
    ASSERT_TRUE(old->run("INSERT INTO things VALUES ('four')"));
  }
  const auto database = database_at(folder.path("a.db"));
  ASSERT_TRUE(raise_schema(*database, kThird));
  EXPECT_EQ(*database->number("SELECT size FROM things"), 4);
  EXPECT_EQ(*database->number("SELECT count(*) FROM sqlite_schema WHERE name = 'things_by_size'"), 1);
}

TEST(Migrate, AStepThatFailsChangesNothing) {
  const ScratchFolder folder;
  const auto database = database_at(folder.path("a.db"));
  ASSERT_TRUE(raise_schema(*database, kFirst));
  constexpr std::array<const char*, 2> broken = {kSteps[0], "CREATE NONSENSE"};
  EXPECT_FALSE(raise_schema(*database, {"", broken}));
  EXPECT_EQ(*schema_version(*database, kThird), 1);
  EXPECT_EQ(*database->number("SELECT count(*) FROM pragma_table_info('things')"), 1);
  EXPECT_TRUE(raise_schema(*database, kThird));
}

TEST(Migrate, RefusesANewerOneByItsNumber) {
  const ScratchFolder folder;
  const auto database = database_at(folder.path("a.db"));
  ASSERT_TRUE(database->run("PRAGMA user_version = 9999"));
  const Result<void> raised = raise_schema(*database, kThird);
  ASSERT_FALSE(raised);
  EXPECT_EQ(raised.error().message, "The state in `" + folder.path("a.db") +
                                        "` is of a newer trainmake (schema 9999, this one knows 3)");
  EXPECT_EQ(raised.error().blame, Blame::kUser);
  EXPECT_FALSE(raised.error().hint.empty());
}

TEST(Migrate, RefusesTablesOfSomethingElse) {
  const ScratchFolder folder;
  const auto database = database_at(folder.path("a.db"));
  ASSERT_TRUE(database->run("CREATE TABLE strangers (name TEXT)"));
  const Result<void> raised = raise_schema(*database, kThird);
  ASSERT_FALSE(raised);
  EXPECT_TRUE(tells_damage(raised.error()));
}

}  // namespace
}  // namespace trainmake
