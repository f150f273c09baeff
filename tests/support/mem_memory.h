// Memory and Runs in memory, for tests of whatever asks them. Passes the same conformance suite as the state
// database.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "engine/model/memory.h"

namespace trainmake {

class MemMemory final : public Memory, public Runs {
 public:
  Result<std::optional<Record>> last(const Label& label) override {
    const auto found = last_.find(label);
    return found == last_.end() ? std::optional<Record>() : records_.at({label, found->second});
  }
  Result<std::optional<Record>> find(const Label& label, const Fingerprint& fingerprint) override {
    const auto found = records_.find({label, fingerprint});
    return found == records_.end() ? std::optional<Record>() : found->second;
  }
  Result<void> remember(const Record& record) override {
    records_[{record.label, record.fingerprint}] = record;
    last_[record.label] = record.fingerprint;
    ++writes;
    return {};
  }

  Result<std::uint64_t> generation() override { return static_cast<std::uint64_t>(writes); }

  Result<void> put(const Run& run) override {
    runs_[run.id] = run;
    ++writes;
    return {};
  }
  Result<std::optional<Run>> get(std::string_view id) override {
    const auto found = runs_.find(id);
    return found == runs_.end() ? std::optional<Run>() : found->second;
  }
  Result<std::vector<Run>> of(const Label& label, const Fingerprint& fingerprint) override {
    return newest_first([&](const Run& run) { return run.label == label && run.fingerprint == fingerprint; });
  }
  Result<std::vector<Run>> all() override {
    return newest_first([](const Run&) { return true; });
  }

  int writes = 0;

 private:
  template <typename Fits>
  std::vector<Run> newest_first(Fits fits) const {
    std::vector<Run> runs;
    for (const auto& [id, run] : runs_) {
      if (fits(run)) runs.push_back(run);
    }
    const auto age = [](const Run& run) { return std::tuple(-run.created_ns, -run.attempt); };
    std::stable_sort(runs.begin(), runs.end(), [&](const Run& a, const Run& b) { return age(a) < age(b); });
    return runs;
  }

  std::map<std::pair<Label, Fingerprint>, Record> records_;
  std::map<Label, Fingerprint> last_;
  std::map<std::string, Run, std::less<>> runs_;
};

}  // namespace trainmake
