// State::repair: sets a damaged database aside and carries over what can still be read, row by row. A record
// that was damaged without a trace costs a step that runs again; a run of a job in flight is worth much more
// than that.
#include "cache/state.h"
#include "cache/state_database.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::string_view kTables[] = {"manifests",   "records",    "last",       "runs",
                                        "run_metrics", "run_curves", "run_outputs"};

Result<bool> is_sound(const std::string& cache_folder) {
  TRY_ASSIGN(const std::unique_ptr<Database> database, open_to_write(cache_folder));
  TRY_ASSIGN(Statement check, database->prepare("PRAGMA quick_check(1)"));
  TRY_ASSIGN(const bool answered, check.step());
  if (!answered || check.text_at(0) != "ok") return false;
  for (const std::string_view table : kTables) TRY(database->prepare(cat("SELECT * FROM ", table)));
  TRY(database->number("SELECT generation FROM state"));
  return true;
}

Result<std::string> set_aside(const std::string& cache_folder) {
  FileSystem& files = real_file_system();
  const std::string path = state_path(cache_folder);
  std::string aside;
  for (int number = 1;; ++number) {
    aside = cat(path, ".damaged-", number);
    TRY_ASSIGN(const Stat there, files.look(aside));
    if (!there.exists()) break;
  }
  TRY(files.rename(path, aside));
  for (const char* beside : {"-wal", "-journal"}) {
    TRY_ASSIGN(const Stat there, files.look(cat(path, beside)));
    if (there.exists()) TRY(files.rename(cat(path, beside), cat(aside, beside)));
  }
  TRY(files.remove(cat(path, "-shm")));
  return aside;
}

std::string columns_of(Database& database, std::string_view table) {
  Result<Statement> names =
      database.prepare(cat("SELECT group_concat(name, ', ') FROM pragma_table_info('", table, "')"));
  const Result<bool> told = names ? names->step() : Result<bool>(false);
  return told && *told ? std::string(names->text_at(0)) : std::string();
}

// Up to the first row that cannot be read. Rows that do not fit are left out; what an older schema did not
// have yet is as if nothing were said.
void carry_table(Database& from, Database& to, std::string_view table) {
  Result<Statement> rows = from.prepare(cat("SELECT * FROM ", table));
  if (!rows) return;
  std::string insert = cat("INSERT OR IGNORE INTO ", table, " (", columns_of(from, table), ") VALUES (?");
  for (int column = 1; column < rows->columns(); ++column) insert += ", ?";
  insert += ')';
  for (Result<bool> more = rows->step(); more && *more; more = rows->step()) {
    Result<Statement> row = to.prepare(insert);
    if (!row) return;
    for (int column = 0; column < rows->columns(); ++column) row->copy(*rows, column);
    (void)row->run();
  }
}

Result<void> salvage(const std::string& aside, Database& to) {
  const Result<std::unique_ptr<Database>> from =
      Database::open(aside, Database::Mode::kWrite);  // its log is read with it
  if (!from) return {};
  const Result<int> version = schema_version(**from, state_migrations());
  if (!version || *version == 0) return {};  // an older one has fewer tables
  TRY_ASSIGN(Transaction transaction, Transaction::begin(to));
  for (const std::string_view table : kTables) carry_table(**from, to, table);
  TRY(
      to.run("DELETE FROM records WHERE manifest NOT IN (SELECT digest FROM manifests);"
             "DELETE FROM runs WHERE manifest NOT IN (SELECT digest FROM manifests);"
             "DELETE FROM last WHERE NOT EXISTS (SELECT 1 FROM records r WHERE r.label = last.label AND "
             "r.fingerprint = last.fingerprint)"));
  return transaction.commit();
}

}  // namespace

Result<std::string> State::repair(const std::string& cache_folder) {
  TRY_ASSIGN(const Stat there, real_file_system().look(state_path(cache_folder)));
  if (!there.exists()) return std::string();
  const Result<bool> sound = is_sound(cache_folder);
  if (sound && *sound) return std::string();
  if (!sound && !tells_damage(sound.error())) return fail(sound.error());
  TRY_ASSIGN(std::string aside, set_aside(cache_folder));
  TRY_ASSIGN(const std::unique_ptr<Database> fresh, open_to_write(cache_folder));
  TRY(salvage(aside, *fresh));
  return aside;
}

}  // namespace trainmake
