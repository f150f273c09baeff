#include "engine/cli/sweep_table.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/base/text.h"
#include "engine/cli/table.h"

namespace trainmake {
namespace {

// A metric one of whose words is this is better when it is less.
constexpr std::array<std::string_view, 15> kCosts = {"loss", "error", "err",  "perplexity", "ppl",
                                                     "mse",  "rmse",  "mae",  "wer",        "cer",
                                                     "fid",  "nll",   "time", "seconds",    "latency"};

bool is_cost(std::string_view metric) {
  std::string word;
  const auto is_known = [&] { return std::find(kCosts.begin(), kCosts.end(), word) != kCosts.end(); };
  for (const char c : metric) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (is_letter) {
      word += static_cast<char>(c | 0x20);
      continue;
    }
    if (is_known()) return true;
    word.clear();
  }
  return is_known();
}

// What ranks a run, the least first; nothing when it has no such number.
std::optional<double> rank_of(const Run& run, const Ranking& ranking) {
  const auto found = run.metrics.find(ranking.metric);
  if (run.status != RunStatus::kSucceeded || found == run.metrics.end() || std::isnan(found->second))
    return std::nullopt;
  return ranking.least_is_best ? found->second : -found->second;
}

std::string other_metrics(Run run, const std::string& metric) {
  run.metrics.erase(metric);
  return metrics_text(run);
}

}  // namespace

Result<Ranking> parse_ranking(const std::string& text) {
  if (text.size() > 1 && text.front() == '-') return Ranking{text.substr(1), false};  // as of `runs`
  const std::size_t colon = text.rfind(':');
  const std::string metric = text.substr(0, colon);
  const std::string way = colon == text.npos ? "" : text.substr(colon + 1);
  if (!metric.empty() && way.empty() && colon == text.npos) return Ranking{metric, is_cost(metric)};
  if (!metric.empty() && (way == "min" || way == "max")) return Ranking{metric, way == "min"};
  return fail(user_error(cat("Flag `--sort` takes the name of a metric, got ", quoted(text)),
                         "As `--sort loss`; `--sort steps:min` says that less of it is better"));
}

std::optional<Ranking> usual_ranking(const std::vector<Run>& runs) {
  const std::string* first = nullptr;
  for (const Run& run : runs) {
    if (!run.metrics.empty() && (first == nullptr || run.metrics.begin()->first < *first))
      first = &run.metrics.begin()->first;
  }
  if (first == nullptr) return std::nullopt;
  return Ranking{*first, is_cost(*first)};
}

std::string sweep_text(std::vector<Run> runs, const Ranking& ranking,
                       const std::function<std::string(const Label&)>& shown, std::size_t most) {
  std::stable_sort(runs.begin(), runs.end(), [&](const Run& a, const Run& b) {
    const std::optional<double> first = rank_of(a, ranking), second = rank_of(b, ranking);
    return first && (!second || *first < *second);
  });
  std::vector<std::vector<std::string>> rows = {
      {"job", printable(ranking.metric), "other metrics", "took", "params", "run"}};
  for (std::size_t i = 0; i < std::min(runs.size(), most); ++i) {
    const Run& run = runs[i];
    const std::string number = rank_of(run, ranking) ? number_text(run.metrics.at(ranking.metric))
                                                     : std::string(name_of(run.status));
    rows.push_back({shown(run.label), number, other_metrics(run, ranking.metric),
                    took_text(run, run.ended_ns), params_text(run), run.id});
  }
  std::string text = table_text(rows);
  if (runs.size() > most) text += cat("and ", runs.size() - most, " more\n");
  return text;
}

}  // namespace trainmake
