#include "cache/state.h"

#include "cache/state_database.h"
#include "cache/state_rows.h"

namespace trainmake {
namespace {

constexpr int kLooks = 4;  // at a database that others keep writing to

}  // namespace

struct State::Inside {
  std::string folder;
  std::unique_ptr<Database> written;  // one of the two
  std::unique_ptr<LookedAt> looked;

  // Reads again, afresh, when somebody wrote under a look that nothing protects.
  template <typename Body>
  auto read(Body body) -> decltype(body(std::declval<Database&>())) {
    if (written) return body(*written);
    for (int looks = 1;; ++looks) {
      auto result = body(looked->database());
      if (looked->still_holds() || looks == kLooks) return result;
      TRY_ASSIGN(looked, LookedAt::open(folder));
    }
  }

  // REQUIRES: Access::kWrite. All of `body`, and a new generation, or nothing.
  template <typename Body>
  Result<void> write(Body body) {
    CHECK(written != nullptr);
    TRY_ASSIGN(Transaction transaction, Transaction::begin(*written));
    TRY(body(*written));
    TRY(written->run("UPDATE state SET generation = abs(random() / 2)"));
    return transaction.commit();
  }
};

State::State(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
State::~State() = default;

Result<std::unique_ptr<State>> State::open(const std::string& cache_folder, Access access) {
  auto inside = std::make_unique<Inside>();
  inside->folder = cache_folder;
  if (access == Access::kWrite) {
    TRY_ASSIGN(inside->written, open_to_write(cache_folder));
  } else {
    TRY_ASSIGN(inside->looked, LookedAt::open(cache_folder));
  }
  return std::unique_ptr<State>(new State(std::move(inside)));
}

Result<std::optional<Record>> State::last(const Label& label) {
  return inside_->read([&](Database& database) { return last_record(database, label); });
}

Result<std::optional<Record>> State::last_in_brief(const Label& label) {
  return inside_->read([&](Database& database) { return last_record_in_brief(database, label); });
}

Result<std::optional<Record>> State::find(const Label& label, const Fingerprint& fingerprint) {
  return inside_->read([&](Database& database) { return find_record(database, label.text(), fingerprint); });
}

Result<std::optional<Record>> State::newest(const Label& label,
                                            const std::function<bool(const Manifest&)>& fits) {
  return inside_->read([&](Database& database) { return newest_record(database, label.text(), fits); });
}

Result<void> State::remember(const Record& record) {
  return inside_->write([&](Database& database) -> Result<void> {
    TRY(put_record(database, record));
    TRY_ASSIGN(const std::string newest, newest_run_of(database, record.label.text()));
    TRY_ASSIGN(const std::string of_all, newest_run_of_all(database));
    return make_last(database, record, {of_all, newest});
  });
}

Result<std::string> State::newest_run() {
  return inside_->read([&](Database& database) { return newest_run_of_all(database); });
}

Result<std::string> State::newest_run(const Label& label) {
  return inside_->read([&](Database& database) { return newest_run_of(database, label.text()); });
}

Result<void> State::remember_in_turn(const Record& record, const Precedence& turn) {
  return inside_->write([&](Database& database) -> Result<void> {
    TRY(put_record(database, record));
    const std::string label = record.label.text();
    TRY_ASSIGN(const bool is_overtaken, was_made_last_after(database, label, turn));
    if (is_overtaken) return {};
    TRY_ASSIGN(const std::string newest, newer_of(database, turn.begun, record.run));
    return make_last(database, record, {turn.asked, newest});
  });
}

Result<void> State::remember_late(const Record& record) {
  return inside_->write([&](Database& database) -> Result<void> {
    TRY_ASSIGN(const bool has_newer, has_newer_record(database, record));
    if (has_newer) return {};
    TRY(put_record(database, record));
    TRY_ASSIGN(const bool has_newer_last, was_made_last_since(database, record.label.text(), record.run));
    return has_newer_last ? Result<void>() : make_last(database, record, {record.run, record.run});
  });
}

Result<bool> State::began_after_result(const Run& run) {
  return inside_->read(
      [&](Database& database) { return trainmake::began_after_result(database, run.label.text(), run.id); });
}

Result<void> State::put(const Run& run) {
  // On disk before it returns, and with it every commit before. A record alone may be lost in a power cut:
  // its step runs again, or, a job, is taken from its run.
  TRY(inside_->written->run("PRAGMA synchronous = FULL"));
  TRY(inside_->write([&](Database& database) { return put_run(database, run); }));
  return inside_->written->run("PRAGMA synchronous = NORMAL");
}

Result<std::optional<Run>> State::get(std::string_view id) {
  return inside_->read([&](Database& database) { return find_run(database, id); });
}

Result<std::vector<Run>> State::of(const Label& label, const Fingerprint& fingerprint) {
  return inside_->read([&](Database& database) { return runs_of(database, label.text(), fingerprint); });
}

Result<std::vector<Run>> State::of(const Label& label) {
  return inside_->read([&](Database& database) { return runs_of(database, label.text()); });
}

Result<int> State::next_attempt(const Label& label, const Fingerprint& fingerprint) {
  return inside_->read(
      [&](Database& database) { return next_attempt_of(database, label.text(), fingerprint); });
}

Result<std::vector<Run>> State::all() { return inside_->read(all_runs); }

Result<std::vector<Run>> State::in_flight() { return inside_->read(runs_in_flight); }

Result<std::vector<Run>> State::in_flight(const Label& label) {
  return inside_->read([&](Database& database) { return runs_in_flight_of(database, label.text()); });
}

Result<Curves> State::curves(std::string_view id) {
  return inside_->read([&](Database& database) { return curves_of(database, id); });
}

Result<std::uint64_t> State::generation() {
  return inside_->read([](Database& database) -> Result<std::uint64_t> {
    TRY_ASSIGN(const std::int64_t generation, database.number("SELECT generation FROM state"));
    return static_cast<std::uint64_t>(generation);
  });
}

// Keys first, so that `visit` may forget records.
Result<void> State::each_record(const std::function<void(const Record&, bool is_last)>& visit) {
  TRY_ASSIGN(const std::vector<RecordKey> keys, inside_->read(record_keys));
  for (const RecordKey& key : keys) {
    TRY_ASSIGN(const std::optional<Record> record, inside_->read([&](Database& database) {
      return find_record(database, key.label, key.fingerprint);
    }));
    if (record) visit(*record, key.is_last);
  }
  return {};
}

Result<void> State::forget(const Label& label, const Fingerprint& fingerprint) {
  return inside_->write([&](Database& database) { return drop_record(database, label.text(), fingerprint); });
}

Result<void> State::compact() {
  TRY(inside_->write(drop_unused_manifests));
  return inside_->written->run("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
}

Result<void> State::add_from(const std::string& path) {
  Database& database = *inside_->written;
  {
    TRY_ASSIGN(Statement attach, database.prepare("ATTACH ? AS other"));
    TRY(attach.text(path).run());
  }
  Result<void> added = inside_->write(add_other);
  Result<void> detached = database.run("DETACH other");
  return added ? detached : added;
}

Result<void> State::copy_to(const std::string& path) {
  return inside_->read([&](Database& database) -> Result<void> {
    TRY(real_file_system().remove(path));  // of a try before: SQLite writes over no file
    TRY_ASSIGN(Statement statement, database.prepare("VACUUM INTO ?"));
    return statement.text(path).run();
  });
}

}  // namespace trainmake
