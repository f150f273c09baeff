#include "cache/state_rows.h"

#include <zstd.h>

#include <limits>
#include <memory>

#include "engine/base/file_system.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::size_t kSmallManifest = 4096;  // not worth compressing
constexpr std::size_t kLargestManifest = std::size_t{1} << 31U;

Error damaged(const Database& database, std::string_view detail) {
  return damaged_state(database.path(), detail);
}

// Memory that nobody has written to costs nothing, and most of what a compressed manifest may need stays so.
using Room = std::unique_ptr<char[]>;

// As is when small, else compressed, in `room`: kept so that its length tells which.
std::string_view pack(std::string_view encoded, Room& room) {
  if (encoded.size() < kSmallManifest) return encoded;
  const std::size_t most = ZSTD_compressBound(encoded.size());
  room = std::make_unique_for_overwrite<char[]>(most);
  const std::size_t size = ZSTD_compress(room.get(), most, encoded.data(), encoded.size(), 1);
  if (ZSTD_isError(size) != 0 || size >= encoded.size()) return encoded;
  return {room.get(), size};
}

std::optional<Manifest> unpack(const Digest128& digest, std::string_view packed, std::uint64_t size) {
  if (size > kLargestManifest) return std::nullopt;
  Room room;
  if (packed.size() != size) {
    room = std::make_unique_for_overwrite<char[]>(size);
    if (ZSTD_decompress(room.get(), size, packed.data(), packed.size()) != size) return std::nullopt;
    packed = {room.get(), size};
  }
  if (digest_of(packed) != digest) return std::nullopt;
  return Manifest::decode(packed);
}

// Reads columns from left to right; what cannot be what it should be leaves it not ok.
class Row {
 public:
  explicit Row(const Statement& statement) : statement_(statement) {}

  std::string text() { return std::string(statement_.text_at(column_++)); }
  std::int64_t integer() { return statement_.integer_at(column_++); }
  bool is_null() const { return statement_.null_at(column_); }
  void skip() { ++column_; }
  bool ok() const { return ok_; }

  Digest128 digest() { return taken(statement_.digest_at(column_++)); }
  Label label() {
    Result<Label> label = parse_label(statement_.text_at(column_++), "");
    ok_ = ok_ && label;
    return label ? *std::move(label) : Label();
  }
  // Of a folder, and so never a way out of the one that it stands in.
  std::string name() {
    std::string name = text();
    ok_ = ok_ && !name.empty() && name.front() != '.' && name.find('/') == name.npos;
    return name;
  }
  // Below some folder.
  std::string path() {
    std::string path = text();
    ok_ = ok_ && !path.empty() && path.front() != '/' && path_clean(path) == path;
    return path;
  }
  // Three columns: digest, size, bytes.
  Manifest manifest() {
    const Digest128 digest_of_it = digest();
    const auto size = static_cast<std::uint64_t>(integer());
    return taken(unpack(digest_of_it, statement_.text_at(column_++), size));
  }
  template <typename T>
  T taken(std::optional<T> value) {
    ok_ = ok_ && value;
    return value ? *std::move(value) : T();
  }

 private:
  const Statement& statement_;
  int column_ = 0;
  bool ok_ = true;
};

#define TM_RECORD_COLUMNS \
  "r.label, r.fingerprint, r.artifacts, r.when_ns, r.version, r.run, r.manifest, m.size, m.bytes "
#define TM_BRIEF_RECORD_COLUMNS "r.label, r.fingerprint, r.artifacts, r.when_ns, r.version, r.run "
#define TM_FROM_LAST "FROM last l JOIN records r ON r.label = l.label AND r.fingerprint = l.fingerprint "
#define TM_RUN_COLUMNS                                                                                       \
  "r.id, r.label, r.fingerprint, r.attempt, r.status, r.platform, r.key, r.job, r.created_ns, "              \
  "r.started_ns, "                                                                                           \
  "r.ended_ns, r.exit_code, r.reason, r.reusable, r.params_json, r.provenance_json, r.repeats, r.manifest, " \
  "m.size, m.bytes "                                                                                         \
  "FROM runs r LEFT JOIN manifests m ON m.digest = r.manifest "
#define TM_ITS_OWN "r.label = ? AND r.repeats = '' "
#define TM_NEWEST_FIRST "ORDER BY r.number DESC, r.created_ns DESC, r.attempt DESC, r.id"

enum class Extent : std::uint8_t { kWhole, kBrief };

Result<std::optional<Record>> record_from(Database& database, Statement& statement,
                                          Extent extent = Extent::kWhole) {
  TRY_ASSIGN(const bool found, statement.step());
  if (!found) return std::optional<Record>();
  Row row(statement);
  Record record;
  record.label = row.label();
  record.fingerprint = row.digest();
  record.artifacts = row.taken(artifacts_from_json(row.text()));
  record.when_ns = row.integer();
  record.version = row.text();
  record.run = row.text();
  if (extent == Extent::kWhole) record.manifest = row.manifest();
  if (!row.ok()) return fail(damaged(database, "a record cannot be read"));
  return record;
}

Result<Run> run_from(Database& database, const Statement& statement) {
  Row row(statement);
  Run run;
  run.id = row.name();
  run.label = row.label();
  run.fingerprint = row.digest();
  run.attempt = static_cast<int>(row.integer());
  run.status = row.taken(parse_status(row.text()));
  run.platform = row.text();
  run.key = row.text();
  run.job = row.text();
  run.created_ns = row.integer();
  run.started_ns = row.integer();
  run.ended_ns = row.integer();
  if (row.is_null()) {
    row.skip();
  } else {
    run.exit_code = static_cast<int>(row.integer());
  }
  run.reason = row.text();
  run.reusable = row.integer() != 0;
  run.params_json = row.text();
  run.provenance_json = row.text();
  run.repeats = row.text();
  run.manifest = row.manifest();
  if (!row.ok()) return fail(damaged(database, "a run cannot be read"));
  return run;
}

Result<void> add_metrics(Database& database, Run& run) {
  TRY_ASSIGN(Statement statement, database.prepare("SELECT name, value FROM run_metrics WHERE run = ?"));
  statement.text(run.id);
  while (true) {
    TRY_ASSIGN(const bool more, statement.step());
    if (!more) return {};
    const double value =
        statement.null_at(1) ? std::numeric_limits<double>::quiet_NaN() : statement.real_at(1);
    run.metrics.emplace(statement.text_at(0), value);
  }
}

Result<void> add_outputs(Database& database, Run& run) {
  TRY_ASSIGN(
      Statement statement,
      database.prepare("SELECT name, path, bytes, sha256 FROM run_outputs WHERE run = ? ORDER BY position"));
  statement.text(run.id);
  while (true) {
    TRY_ASSIGN(const bool more, statement.step());
    if (!more) return {};
    Row row(statement);
    RunOutput& output = run.outputs.emplace_back();
    output.name = row.text();
    output.path = row.path();
    output.bytes = static_cast<std::uint64_t>(row.integer());
    output.sha256 = row.text();
    if (!row.ok()) return fail(damaged(database, "an output of a run cannot be read"));
  }
}

Result<std::vector<Run>> runs_from(Database& database, Statement statement) {
  std::vector<Run> runs;
  while (true) {
    TRY_ASSIGN(const bool more, statement.step());
    if (!more) break;
    TRY_ASSIGN(Run run, run_from(database, statement));
    TRY(add_metrics(database, run));
    TRY(add_outputs(database, run));
    runs.push_back(std::move(run));
  }
  return runs;
}

Result<Digest128> put_manifest(Database& database, const Manifest& manifest) {
  const std::string encoded = manifest.encode();
  const Digest128 digest = digest_of(encoded);
  TRY_ASSIGN(Statement known, database.prepare("SELECT 1 FROM manifests WHERE digest = ?"));
  TRY_ASSIGN(const bool is_known, known.digest(digest).step());
  if (is_known) return digest;
  Room room;
  const std::string_view packed = pack(encoded, room);
  TRY_ASSIGN(Statement statement, database.prepare("INSERT INTO manifests VALUES (?, ?, ?)"));
  TRY(statement.digest(digest).integer(static_cast<std::int64_t>(encoded.size())).blob(packed).run());
  return digest;
}

Result<void> put_run_row(Database& database, const Run& run) {
  TRY_ASSIGN(const Digest128 manifest, put_manifest(database, run.manifest));
  TRY_ASSIGN(
      Statement statement,
      database.prepare(
          "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
          "coalesce((SELECT number FROM runs WHERE id = ?1), (SELECT coalesce(max(number), 0) + 1 FROM "
          "runs)))"));
  const std::string label = run.label.text();
  statement.text(run.id).text(label).digest(run.fingerprint).integer(run.attempt).text(name_of(run.status));
  statement.text(run.platform).text(run.key).text(run.job);
  statement.integer(run.created_ns).integer(run.started_ns).integer(run.ended_ns);
  if (run.exit_code) {
    statement.integer(*run.exit_code);
  } else {
    statement.null();
  }
  statement.text(run.reason).integer(run.reusable ? 1 : 0).text(run.params_json).text(run.provenance_json);
  return statement.digest(manifest).text(run.repeats).run();
}

Result<void> put_metrics(Database& database, const Run& run) {
  TRY_ASSIGN(Statement before, database.prepare("DELETE FROM run_metrics WHERE run = ?"));
  TRY(before.text(run.id).run());
  for (const auto& [name, value] : run.metrics) {
    TRY_ASSIGN(Statement statement, database.prepare("INSERT INTO run_metrics VALUES (?, ?, ?)"));
    TRY(statement.text(run.id).text(name).real(value).run());
  }
  return {};
}

Result<void> put_outputs(Database& database, const Run& run) {
  TRY_ASSIGN(Statement before, database.prepare("DELETE FROM run_outputs WHERE run = ?"));
  TRY(before.text(run.id).run());
  std::int64_t position = 0;
  for (const RunOutput& output : run.outputs) {
    TRY_ASSIGN(Statement statement, database.prepare("INSERT INTO run_outputs VALUES (?, ?, ?, ?, ?, ?)"));
    statement.text(run.id).integer(position++).text(output.name).text(output.path);
    TRY(statement.integer(static_cast<std::int64_t>(output.bytes)).text(output.sha256).run());
  }
  return {};
}

Result<void> put_curves(Database& database, const Run& run) {
  if (run.curves.empty()) return {};
  TRY_ASSIGN(Statement before, database.prepare("DELETE FROM run_curves WHERE run = ?"));
  TRY(before.text(run.id).run());
  for (const auto& [name, curve] : run.curves) {
    const std::string points = to_json(curve);
    TRY_ASSIGN(Statement statement, database.prepare("INSERT INTO run_curves VALUES (?, ?, ?)"));
    TRY(statement.text(run.id).text(name).text(points).run());
  }
  return {};
}

}  // namespace

Result<std::optional<Record>> last_record(Database& database, const Label& label) {
  TRY_ASSIGN(Statement statement,
             database.prepare("SELECT " TM_RECORD_COLUMNS TM_FROM_LAST
                              "LEFT JOIN manifests m ON m.digest = r.manifest WHERE l.label = ?"));
  const std::string text = label.text();
  statement.text(text);
  return record_from(database, statement);
}

Result<std::optional<Record>> last_record_in_brief(Database& database, const Label& label) {
  TRY_ASSIGN(Statement statement,
             database.prepare("SELECT " TM_BRIEF_RECORD_COLUMNS TM_FROM_LAST "WHERE l.label = ?"));
  const std::string text = label.text();
  statement.text(text);
  return record_from(database, statement, Extent::kBrief);
}

Result<std::optional<Record>> find_record(Database& database, std::string_view label,
                                          const Fingerprint& fingerprint) {
  TRY_ASSIGN(Statement statement,
             database.prepare("SELECT " TM_RECORD_COLUMNS
                              "FROM records r LEFT JOIN manifests m ON m.digest = r.manifest "
                              "WHERE r.label = ? AND r.fingerprint = ?"));
  statement.text(label).digest(fingerprint);
  return record_from(database, statement);
}

// Their manifests may be large: they are read one by one, and of the newest alone.
Result<std::optional<Record>> newest_record(Database& database, std::string_view label,
                                            const std::function<bool(const Manifest&)>& fits) {
  std::vector<Fingerprint> fingerprints;
  {
    TRY_ASSIGN(Statement statement, database.prepare("SELECT fingerprint FROM records WHERE label = ? "
                                                     "ORDER BY when_ns DESC LIMIT 16"));
    statement.text(label);
    for (;;) {
      TRY_ASSIGN(const bool found, statement.step());
      if (!found) break;
      const std::optional<Digest128> fingerprint = statement.digest_at(0);
      if (!fingerprint) return fail(damaged(database, "a record cannot be read"));
      fingerprints.push_back(*fingerprint);
    }
  }
  for (const Fingerprint& fingerprint : fingerprints) {
    TRY_ASSIGN(std::optional<Record> record, find_record(database, label, fingerprint));
    if (record && fits(record->manifest)) return record;
  }
  return std::optional<Record>();
}

Result<void> put_record(Database& database, const Record& record) {
  TRY_ASSIGN(const Digest128 manifest, put_manifest(database, record.manifest));
  const std::string label = record.label.text(), artifacts = to_json(record.artifacts);
  TRY_ASSIGN(Statement statement,
             database.prepare("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?, ?)"));
  statement.text(label).digest(record.fingerprint).digest(manifest).text(artifacts);
  return statement.integer(record.when_ns).text(record.version).text(record.run).run();
}

Result<void> make_last(Database& database, const Record& record, const Precedence& turn) {
  TRY_ASSIGN(Statement statement,
             database.prepare(
                 "INSERT OR REPLACE INTO last (label, fingerprint, newest_run, asked) VALUES (?, ?, ?, ?)"));
  const std::string label = record.label.text();
  return statement.text(label).digest(record.fingerprint).text(turn.begun).text(turn.asked).run();
}

Result<std::string> newest_run_of_all(Database& database) {
  TRY_ASSIGN(Statement statement, database.prepare("SELECT id FROM runs ORDER BY number DESC LIMIT 1"));
  TRY_ASSIGN(const bool found, statement.step());
  return found ? std::string(statement.text_at(0)) : std::string();
}

Result<std::string> newest_run_of(Database& database, std::string_view label) {
  TRY_ASSIGN(Statement statement,
             database.prepare("SELECT id FROM runs WHERE label = ? ORDER BY number DESC LIMIT 1"));
  TRY_ASSIGN(const bool found, statement.text(label).step());
  return found ? std::string(statement.text_at(0)) : std::string();
}

Result<bool> was_made_last_since(Database& database, std::string_view label, std::string_view run) {
  TRY_ASSIGN(
      Statement statement,
      database.prepare("SELECT 1 FROM last l JOIN runs newest ON newest.id = l.newest_run JOIN runs r ON "
                       "r.id = ? WHERE l.label = ? AND newest.number >= r.number"));
  return statement.text(run).text(label).step();
}

Result<bool> was_made_last_after(Database& database, std::string_view label, const Precedence& turn) {
  TRY_ASSIGN(Statement statement,
             database.prepare("SELECT 1 FROM last l WHERE "
                              "(coalesce((SELECT number FROM runs WHERE id = l.asked), 0), "
                              "coalesce((SELECT number FROM runs WHERE id = l.newest_run), 0)) > "
                              "(coalesce((SELECT number FROM runs WHERE id = ?), 0), "
                              "coalesce((SELECT number FROM runs WHERE id = ?), 0)) AND l.label = ?"));
  return statement.text(turn.asked).text(turn.begun).text(label).step();
}

Result<std::string> newer_of(Database& database, std::string_view one, std::string_view other) {
  TRY_ASSIGN(Statement statement,
             database.prepare("SELECT id FROM runs WHERE id IN (?, ?) ORDER BY number DESC LIMIT 1"));
  TRY_ASSIGN(const bool found, statement.text(one).text(other).step());
  return found ? std::string(statement.text_at(0)) : std::string();
}

Result<bool> began_after_result(Database& database, std::string_view label, std::string_view run) {
  TRY_ASSIGN(Statement statement, database.prepare("SELECT 1 FROM last WHERE label = ?"));
  TRY_ASSIGN(const bool has_result, statement.text(label).step());
  TRY_ASSIGN(const bool is_newer, was_made_last_since(database, label, run));
  return has_result && !is_newer;
}

Result<bool> has_newer_record(Database& database, const Record& record) {
  TRY_ASSIGN(Statement statement,
             database.prepare("SELECT 1 FROM records s JOIN runs r ON r.id = ?1 "
                              "LEFT JOIN runs of_record ON of_record.id = s.run "
                              "LEFT JOIN last l ON l.label = s.label AND l.fingerprint = s.fingerprint "
                              "LEFT JOIN runs newest ON newest.id = l.newest_run "
                              "WHERE s.label = ?2 AND s.fingerprint = ?3 "
                              "AND (of_record.number > r.number OR newest.number >= r.number)"));
  const std::string label = record.label.text();
  return statement.text(record.run).text(label).digest(record.fingerprint).step();
}

Result<std::vector<RecordKey>> record_keys(Database& database) {
  TRY_ASSIGN(Statement statement,
             database.prepare("SELECT r.label, r.fingerprint, l.fingerprint IS r.fingerprint FROM records r "
                              "LEFT JOIN last l ON l.label = r.label ORDER BY r.label, r.when_ns"));
  std::vector<RecordKey> keys;
  while (true) {
    TRY_ASSIGN(const bool more, statement.step());
    if (!more) return keys;
    Row row(statement);
    RecordKey& key = keys.emplace_back();
    key.label = row.text();
    key.fingerprint = row.digest();
    key.is_last = row.integer() != 0;
    if (!row.ok()) return fail(damaged(database, "a record cannot be read"));
  }
}

Result<void> drop_record(Database& database, std::string_view label, const Fingerprint& fingerprint) {
  TRY_ASSIGN(
      Statement statement,
      database.prepare("DELETE FROM records AS r WHERE label = ? AND fingerprint = ? AND NOT EXISTS "
                       "(SELECT 1 FROM last l WHERE l.label = r.label AND l.fingerprint = r.fingerprint)"));
  return statement.text(label).digest(fingerprint).run();
}

Result<void> drop_unused_manifests(Database& database) {
  return database.run(
      "DELETE FROM manifests WHERE digest NOT IN (SELECT manifest FROM records UNION SELECT manifest FROM "
      "runs)");
}

// Their runs keep their order and ours do; between the two times decide.
Result<void> add_other(Database& database) {
  return database.run(R"(
    CREATE TEMP TABLE ours_by_time AS
      SELECT created_ns, max(number) OVER (ORDER BY created_ns) AS number FROM main.runs;
    CREATE INDEX temp.of_time ON ours_by_time (created_ns);
    CREATE TEMP TABLE taken AS SELECT id, number AS their_number, CASE
        WHEN id IN (SELECT id FROM main.runs) THEN (SELECT number FROM main.runs ours WHERE ours.id = theirs.id)
        WHEN NOT EXISTS (SELECT 1 FROM main.runs) THEN number
        ELSE max(coalesce((SELECT number FROM ours_by_time WHERE created_ns <= theirs.created_ns
                           ORDER BY created_ns DESC LIMIT 1), 0))
             OVER (ORDER BY number, created_ns, attempt ROWS UNBOUNDED PRECEDING) END AS after
      FROM other.runs theirs WHERE NOT EXISTS (
      SELECT 1 FROM main.runs ours WHERE ours.id = theirs.id AND NOT (
        theirs.status = 'succeeded' AND ours.status IN ('failed', 'cancelled', 'lost')));
    INSERT OR IGNORE INTO main.manifests SELECT * FROM other.manifests;
    INSERT OR IGNORE INTO main.records SELECT * FROM other.records;
    INSERT OR IGNORE INTO main.last SELECT * FROM other.last;
    INSERT OR REPLACE INTO main.runs SELECT * FROM other.runs WHERE id IN (SELECT id FROM taken);
    UPDATE main.runs SET number = ordered.place FROM (
      SELECT r.id, row_number() OVER (ORDER BY coalesce(t.after, r.number), t.id IS NOT NULL,
          t.their_number, r.created_ns, r.attempt, r.id DESC) AS place
      FROM main.runs r LEFT JOIN taken t ON t.id = r.id) ordered WHERE ordered.id = main.runs.id;
    DELETE FROM main.run_metrics WHERE run IN (SELECT id FROM taken);
    INSERT INTO main.run_metrics SELECT * FROM other.run_metrics WHERE run IN (SELECT id FROM taken);
    DELETE FROM main.run_outputs WHERE run IN (SELECT id FROM taken);
    INSERT INTO main.run_outputs SELECT * FROM other.run_outputs WHERE run IN (SELECT id FROM taken);
    DELETE FROM main.run_curves WHERE run IN (SELECT id FROM taken);
    INSERT INTO main.run_curves SELECT * FROM other.run_curves WHERE run IN (SELECT id FROM taken);
    DROP TABLE taken; DROP TABLE ours_by_time)");
}

Result<void> put_run(Database& database, const Run& run) {
  TRY(put_run_row(database, run));
  TRY(put_metrics(database, run));
  TRY(put_curves(database, run));
  return put_outputs(database, run);
}

Result<std::optional<Run>> find_run(Database& database, std::string_view id) {
  TRY_ASSIGN(Statement statement, database.prepare("SELECT " TM_RUN_COLUMNS "WHERE r.id = ?"));
  statement.text(id);
  TRY_ASSIGN(std::vector<Run> runs, runs_from(database, std::move(statement)));
  return runs.empty() ? std::optional<Run>() : std::move(runs.front());
}

Result<std::vector<Run>> runs_of(Database& database, std::string_view label, const Fingerprint& fingerprint) {
  TRY_ASSIGN(Statement statement, database.prepare("SELECT " TM_RUN_COLUMNS "WHERE " TM_ITS_OWN
                                                   "AND r.fingerprint = ? " TM_NEWEST_FIRST));
  statement.text(label).digest(fingerprint);
  return runs_from(database, std::move(statement));
}

Result<std::vector<Run>> runs_of(Database& database, std::string_view label) {
  TRY_ASSIGN(Statement statement,
             database.prepare("SELECT " TM_RUN_COLUMNS "WHERE " TM_ITS_OWN TM_NEWEST_FIRST));
  statement.text(label);
  return runs_from(database, std::move(statement));
}

Result<int> next_attempt_of(Database& database, std::string_view label, const Fingerprint& fingerprint) {
  TRY_ASSIGN(
      Statement statement,
      database.prepare("SELECT coalesce(max(attempt), 0) + 1 FROM runs WHERE label = ? AND fingerprint = ?"));
  TRY(statement.text(label).digest(fingerprint).step());
  return static_cast<int>(statement.integer_at(0));
}

Result<std::vector<Run>> all_runs(Database& database) {
  TRY_ASSIGN(Statement statement, database.prepare("SELECT " TM_RUN_COLUMNS TM_NEWEST_FIRST));
  return runs_from(database, std::move(statement));
}

Result<std::vector<Run>> runs_in_flight(Database& database) {
  TRY_ASSIGN(Statement statement,
             database.prepare("SELECT " TM_RUN_COLUMNS
                              "WHERE r.status IN ('queued', 'running', 'unknown') " TM_NEWEST_FIRST));
  return runs_from(database, std::move(statement));
}

Result<std::vector<Run>> runs_in_flight_of(Database& database, std::string_view label) {
  TRY_ASSIGN(Statement statement,
             database.prepare(
                 "SELECT " TM_RUN_COLUMNS
                 "WHERE r.label = ? AND +r.status IN ('queued', 'running', 'unknown') " TM_NEWEST_FIRST));
  statement.text(label);
  return runs_from(database, std::move(statement));
}

Result<Curves> curves_of(Database& database, std::string_view run) {
  TRY_ASSIGN(Statement statement, database.prepare("SELECT name, points FROM run_curves WHERE run = ?"));
  statement.text(run);
  Curves curves;
  while (true) {
    TRY_ASSIGN(const bool more, statement.step());
    if (!more) return curves;
    std::optional<Curve> curve = curve_from_json(statement.text_at(1));
    if (!curve) return fail(damaged(database, "a curve of a run cannot be read"));
    curves.emplace(statement.text_at(0), *std::move(curve));
  }
}

}  // namespace trainmake
