// Records and runs to put into memory.
#pragma once

#include <string>

#include "engine/base/text.h"
#include "engine/model/record.h"

namespace trainmake {

inline Label some_label(const std::string& name = "mnist") { return {"vision", "job", name}; }

inline Record some_record(const std::string& name, std::uint64_t number, int lines = 3) {
  Record record;
  record.label = some_label(name);
  for (int i = 0; i < lines; ++i)
    record.manifest.add(Section::kCode, cat("file-", i, ".py"),
                        Digest128{number, static_cast<std::uint64_t>(i)});
  record.manifest.seal();
  record.fingerprint = record.manifest.fingerprint();
  record.artifacts = {{"tree", cat("tree-", number), std::string(64, 'a'), 12, "blob:1"},
                      {"log", "", "", 0, ""}};
  record.when_ns = 1'700'000'000'000'000'000 + static_cast<std::int64_t>(number);
  record.version = "1.2";
  record.run = "0123456789ab";
  return record;
}

inline Run some_run(const std::string& id, int attempt = 1) {
  Run run;
  run.id = id;
  run.label = some_label();
  run.fingerprint = {7, 8};
  run.attempt = attempt;
  run.platform = "local";
  run.key = cat("tm-", id);
  run.created_ns = 1000 + attempt;
  return run;
}

inline bool same(const Record& a, const Record& b) {
  return a.label == b.label && a.fingerprint == b.fingerprint && a.manifest.lines() == b.manifest.lines() &&
         a.artifacts == b.artifacts && a.when_ns == b.when_ns && a.version == b.version && a.run == b.run;
}

}  // namespace trainmake
