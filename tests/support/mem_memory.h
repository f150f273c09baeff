// Memory and Runs in memory, for tests of whatever asks them. Passes the same conformance suite as the state
// database.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "engine/model/memory.h"

namespace trainmake {

class MemMemory final : public Memory, public Runs {
 public:
  Result<std::optional<Record>> last(const Label& label) override {
    const auto found = last_.find(label);
    return found == last_.end() ? std::optional<Record>() : records_.at({label, found->second});
  }
  Result<std::optional<Record>> last_in_brief(const Label& label) override {
    TRY_ASSIGN(std::optional<Record> record, last(label));
    if (record) record->manifest = {};
    return record;
  }
  Result<std::optional<Record>> find(const Label& label, const Fingerprint& fingerprint) override {
    const auto found = records_.find({label, fingerprint});
    return found == records_.end() ? std::optional<Record>() : found->second;
  }
  Result<std::optional<Record>> newest(const Label& label,
                                       const std::function<bool(const Manifest&)>& fits) override {
    std::optional<Record> newest;
    for (const auto& [key, record] : records_) {
      const bool is_newer = !newest || record.when_ns >= newest->when_ns;
      if (key.first == label && is_newer && fits(record.manifest)) newest = record;
    }
    return newest;
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
    numbers_.emplace(run.id, numbers_.size());
    if (!run.curves.empty()) curves_[run.id] = run.curves;
    ++writes;
    return {};
  }
  Result<std::optional<Run>> get(std::string_view id) override {
    const auto found = runs_.find(id);
    return found == runs_.end() ? std::optional<Run>() : found->second;
  }
  Result<std::vector<Run>> of(const Label& label, const Fingerprint& fingerprint) override {
    return newest_first([&](const Run& run) {
      return run.label == label && run.fingerprint == fingerprint && run.repeats.empty();
    });
  }
  Result<std::vector<Run>> of(const Label& label) override {
    return newest_first([&](const Run& run) { return run.label == label && run.repeats.empty(); });
  }
  Result<int> next_attempt(const Label& label, const Fingerprint& fingerprint) override {
    int attempt = 1;
    for (const auto& [id, run] : runs_) {
      if (run.label == label && run.fingerprint == fingerprint) attempt = std::max(attempt, run.attempt + 1);
    }
    return attempt;
  }
  Result<std::vector<Run>> all() override {
    return newest_first([](const Run&) { return true; });
  }

  Result<std::vector<Run>> in_flight() override {
    return newest_first([](const Run& run) { return !is_over(run.status); });
  }
  Result<std::vector<Run>> in_flight(const Label& label) override {
    return newest_first([&](const Run& run) { return run.label == label && !is_over(run.status); });
  }
  Result<Curves> curves(std::string_view id) override {
    const auto found = curves_.find(id);
    return found == curves_.end() ? Curves() : found->second;
  }

  int writes = 0;

 private:
  template <typename Fits>
  std::vector<Run> newest_first(Fits fits) const {
    std::vector<Run> runs;
    for (const auto& [id, run] : runs_) {
      if (fits(run)) runs.push_back(run);
    }
    std::sort(runs.begin(), runs.end(),
              [&](const Run& a, const Run& b) { return numbers_.at(a.id) > numbers_.at(b.id); });
    return runs;
  }

  std::map<std::pair<Label, Fingerprint>, Record> records_;
  std::map<Label, Fingerprint> last_;
  std::map<std::string, Run, std::less<>> runs_;
  std::map<std::string, std::size_t> numbers_;  // in the order in which they were remembered first
  std::map<std::string, Curves, std::less<>> curves_;
};

}  // namespace trainmake
