// What a person is told of a sweep whose jobs come to nothing: the first of them in full, the others by their
// number, and one hint for all. Passes everything else on.
#pragma once

#include <map>
#include <set>
#include <string>

#include "engine/cli/flags.h"
#include "engine/cli/report.h"
#include "engine/model/record.h"

namespace trainmake {

class SweepReport final : public Reporter {
 public:
  // Borrows both.
  SweepReport(Reporter& inner, const std::string& here) : inner_(inner), here_(here) {}
  void event(const Event& event) override;
  void tick() override { inner_.tick(); }
  void finished(const Summary& summary, const Tally& tally) override { inner_.finished(summary, tally); }

  // "2 of these jobs failed, 3 were cancelled" and what to do; empty when all went well.
  std::string hint(const CommandLine& line) const;

 private:
  Reporter& inner_;
  const std::string& here_;
  std::set<Label> started_, held_back_;
  std::map<RunStatus, std::size_t> ends_;
};

// What was typed, to be typed with --retry: "trainmake run --local --retry 'job:s*'".
std::string retried(const CommandLine& line);

}  // namespace trainmake
