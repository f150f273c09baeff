#include "cache/state_database.h"

#include <array>
#include <filesystem>
#include <random>

#include "cache/state.h"
#include "engine/base/text.h"

namespace trainmake {

extern const char kSchemaSql[];

namespace {

// From schema n+1 to n+2, in order. Never edit a step that was released.
constexpr std::array<const char*, State::kSchemaVersion - 1> kMigrations = {
    R"(CREATE INDEX runs_by_status ON runs (status);
       CREATE TABLE run_curves (run TEXT NOT NULL, name TEXT NOT NULL, points TEXT NOT NULL,
                                PRIMARY KEY (run, name)) STRICT, WITHOUT ROWID;)",
    R"(ALTER TABLE runs ADD COLUMN repeats TEXT NOT NULL DEFAULT '';
       UPDATE runs SET repeats = coalesce(json_extract(provenance_json, '$.reproduces'), '')
                   WHERE json_valid(provenance_json);)",
    R"(ALTER TABLE runs ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
       UPDATE runs SET number = ordered.place FROM
           (SELECT id, row_number() OVER (ORDER BY created_ns, attempt, id DESC) AS place FROM runs) ordered
           WHERE ordered.id = runs.id;
       CREATE INDEX runs_by_number ON runs (number);)",
    R"(ALTER TABLE last ADD COLUMN newest_run TEXT NOT NULL DEFAULT '';
       UPDATE last SET newest_run = coalesce((
           SELECT runs.id FROM runs JOIN records r ON r.label = last.label AND r.fingerprint = last.fingerprint
           WHERE runs.label = last.label AND runs.created_ns <= r.when_ns ORDER BY runs.number DESC LIMIT 1), '');)",
    R"(ALTER TABLE last ADD COLUMN asked TEXT NOT NULL DEFAULT '';)",
};

Stat look_at(const std::string& path) { return real_file_system().look(path).value_or(Stat()); }
bool is_there(const std::string& path) { return look_at(path).exists(); }

Result<std::string> temporary_folder() {
  std::error_code ignored;
  const std::string top = std::filesystem::temp_directory_path(ignored).string();
  std::random_device random;
  std::string folder = path_join(top.empty() ? "/tmp" : top, cat("trainmake-", random(), "-", random()));
  TRY(real_file_system().make_folder(folder));
  return folder;
}

Result<void> copy_file(const std::string& from, const std::string& to) {
  FileSystem& files = real_file_system();
  TRY_ASSIGN(const std::string bytes, read_file(files, from, UINT64_MAX));
  return write_file(files, to, bytes);
}

}  // namespace

const Migrations& state_migrations() {
  static const Migrations migrations{kSchemaSql, kMigrations};
  return migrations;
}

std::string state_path(const std::string& cache_folder) { return path_join(cache_folder, "state.db"); }

Result<std::unique_ptr<Database>> open_to_write(const std::string& cache_folder) {
  TRY(real_file_system().make_folder(cache_folder));
  // In a clone nothing of it is to be committed, nor does it make the clone dirty. One that is there stays.
  if (!is_there(state_path(cache_folder)))
    TRY(real_file_system().create_exclusive(path_join(cache_folder, ".gitignore"), "*\n"));
  TRY_ASSIGN(std::unique_ptr<Database> database,
             Database::open(state_path(cache_folder), Database::Mode::kWrite));
  TRY(raise_schema(*database, state_migrations()));
  return database;
}

Result<std::unique_ptr<LookedAt>> LookedAt::open(const std::string& cache_folder) {
  auto looked = std::make_unique<LookedAt>();
  looked->path_ = state_path(cache_folder);
  TRY_ASSIGN(looked->seen_, real_file_system().look(looked->path_, Links::kFollow));
  if (!looked->seen_.exists()) {
    TRY_ASSIGN(looked->database_, Database::open(looked->path_, Database::Mode::kMemory));
    TRY(raise_schema(*looked->database_, state_migrations()));
    return looked;
  }
  if (const Result<void> opened = looked->open_as_it_lies(); !opened) {
    if (opened.error().blame == Blame::kBusy || tells_damage(opened.error())) return fail(opened.error());
    TRY(looked->open_copy());
  }
  TRY_ASSIGN(const int version, schema_version(looked->database(), state_migrations()));
  if (version != state_migrations().version()) TRY(looked->into_memory(looked->database()));
  return looked;
}

// With a log, reading needs its index `-shm`, which SQLite makes when it is missing: then only a copy leaves
// no trace here.
Result<void> LookedAt::open_as_it_lies() {
  const bool logged = is_there(cat(path_, "-wal")) || is_there(cat(path_, "-journal"));
  if (logged && !is_there(cat(path_, "-shm"))) return open_copy();
  frozen_ = !logged;
  TRY_ASSIGN(database_, Database::open(path_, logged ? Database::Mode::kRead : Database::Mode::kFrozen));
  TRY(database_->number("SELECT count(*) FROM sqlite_schema"));  // whether it can be read at all
  return {};
}

Result<void> LookedAt::open_copy() {
  TRY_ASSIGN(const std::string folder, temporary_folder());
  const std::string copy = path_join(folder, "state.db");
  const auto copied = [&]() -> Result<void> {
    TRY(copy_file(path_, copy));
    for (const char* beside : {"-wal", "-journal"}) {
      if (is_there(cat(path_, beside))) TRY(copy_file(cat(path_, beside), cat(copy, beside)));
    }
    TRY_ASSIGN(const std::unique_ptr<Database> database, Database::open(copy, Database::Mode::kWrite));
    return into_memory(*database);
  };
  Result<void> result = copied();
  TRY(real_file_system().remove(folder));
  return result;
}

Result<void> LookedAt::into_memory(Database& from) {
  TRY_ASSIGN(std::unique_ptr<Database> memory, Database::open(path_, Database::Mode::kMemory));
  TRY(from.copy_into(*memory));
  TRY(raise_schema(*memory, state_migrations()));
  database_ = std::move(memory);
  frozen_ = false;
  return {};
}

bool LookedAt::still_holds() const {
  if (!frozen_) return true;
  return look_at(path_) == seen_ && !is_there(cat(path_, "-wal")) && !is_there(cat(path_, "-journal"));
}

}  // namespace trainmake
