#include "rules/job/platforms/uai/uai_log.h"

#include <algorithm>
#include <optional>

#include "engine/base/log_file.h"
#include "engine/base/text.h"
#include "rules/job/note_files.h"

namespace trainmake {
namespace {

constexpr std::int64_t kSecond_ns = 1'000'000'000;
constexpr std::int64_t kFirstPause_ns = 2 * kSecond_ns, kLongestPause_ns = 10 * kSecond_ns;
constexpr std::int64_t kBetweenAny_ns = kSecond_ns / 5;
constexpr std::int64_t kBetweenTopics_ns = 5 * kSecond_ns;
constexpr std::int64_t kLate_ns = 12 * kSecond_ns, kBetweenRests_ns = 2 * kSecond_ns;
// Of the log's end, that an answer is compared with.
constexpr std::size_t kKnownBytes = std::size_t{64} << 20U;

// Of a job that is over the service tells so many lines, the last ones.
constexpr std::size_t kLastLines = 50;
// Stands in the log where what was told does not join what was known.
constexpr std::string_view kGap =
    "... trainmake: lines may be missing here, which UAI-Train did not tell ...";

// How a word of lines stands in a text of lines, as Knuth, Morris and Pratt find it.
struct Fit {
  std::optional<std::size_t> first_end;  // where it stands in there first, all of it: behind its last line
  std::size_t overlap = 0;               // how many of its first lines are the text's last ones, at most
};
template <typename Text, typename Word>
Fit fit_of(std::span<const Text> text, std::span<const Word> word) {
  std::vector<std::size_t> border(word.size() + 1, 0);
  for (std::size_t i = 1, length = 0; i < word.size(); border[++i] = length) {
    while (length > 0 && word[i] != word[length]) length = border[length];
    if (word[i] == word[length]) ++length;
  }
  Fit fit;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::size_t& length = fit.overlap;
    while (length > 0 && (length == word.size() || text[i] != word[length])) length = border[length];
    if (text[i] == word[length]) ++length;
    if (length == word.size() && !fit.first_end) fit.first_end = i + 1;
  }
  return fit;
}

}  // namespace

std::size_t known_of_answer(const UaiSeen& seen, std::span<const std::string> answer) {
  const std::span<const std::string_view> all = seen.lines;
  if (all.empty() || answer.empty()) return 0;
  if (!seen.is_from_start) {
    const auto end = fit_of(answer, all).first_end;
    return end ? *end : fit_of(all, answer).overlap;
  }
  const std::size_t shared = std::min(all.size(), answer.size());
  const bool is_from_start =
      std::equal(answer.begin(), answer.begin() + static_cast<std::ptrdiff_t>(shared), all.begin());
  return is_from_start ? shared : fit_of(all.subspan(1), answer).overlap;
}

std::vector<std::string> marks_of(const std::vector<UaiTopic>& topics, const std::string& unmarked) {
  std::map<std::string, int> used;
  for (const UaiTopic& topic : topics) ++used[topic.name];
  std::vector<std::string> marks;
  for (const UaiTopic& topic : topics) {
    const bool is_alone = !topic.name.empty() && used[topic.name] == 1;
    marks.push_back(topic.id == unmarked ? "" : cat("[", printable(is_alone ? topic.name : topic.id), "] "));
  }
  return marks;
}

std::vector<UaiSeen> seen_in(std::string_view log, bool is_from_start,
                             const std::vector<std::string>& marks) {
  std::vector<UaiSeen> seen(marks.size());
  for (UaiSeen& each : seen) each.is_from_start = is_from_start;
  if (!is_from_start) log.remove_prefix(std::min(log.find('\n'), log.size() - 1) + 1);
  while (!log.empty()) {
    const std::size_t end = std::min(log.find('\n'), log.size());
    const std::string_view line = log.substr(0, end);
    std::size_t of = marks.size();
    for (std::size_t i = 0; i < marks.size(); ++i) {
      const bool is_more = of == marks.size() || marks[i].size() > marks[of].size();
      if (is_more && line.starts_with(marks[i])) of = i;
    }
    if (of < marks.size() && line.substr(marks[of].size()) == kGap)
      seen[of] = {{}, false};
    else if (of < marks.size())
      seen[of].lines.push_back(line.substr(marks[of].size()));
    log.remove_prefix(std::min(end + 1, log.size()));
  }
  return seen;
}

// Of all jobs together, few are asked for at once.
bool UaiLog::is_due(const std::string& run, Pace& pace) {
  const std::lock_guard lock(mutex_);
  const std::int64_t now = host_.clock.steady_ns();
  Pace& kept = paces_[run];
  if (now < kept.next_ns || now < any_next_ns_) return false;
  any_next_ns_ = now + kBetweenAny_ns;
  kept.next_ns = now + kLongestPause_ns;
  pace = kept;
  return true;
}

// Of several nodes each line says whose it is. Of one node the first topic's have no mark, whatever comes
// later: what was written is not read anew as something else.
Result<std::string> UaiLog::unmarked_topic(const UaiRun& run, const std::vector<UaiTopic>& topics) {
  TRY_ASSIGN(const std::string nodes, text_at(host_.files, run.nodes()));
  if (topics.empty() || !nodes.empty()) return std::string();
  return write_once(host_.files, run.first_topic(), topics.front().id);
}

Result<bool> UaiLog::fetch(const UaiRun& run, const std::string& job, Pace& pace, bool is_over,
                           const std::stop_token& stop) {
  // One that goes on is asked again anyhow.
  const auto look = [&](const char* action, const UCloudParameters& parameters, const char* doing) {
    return is_over ? api_.look(action, parameters, doing, {stop})
                   : api_.look_once(action, parameters, doing, stop);
  };
  const std::int64_t now = host_.clock.steady_ns();
  if (pace.topics.empty() || is_over || now >= pace.topics_until_ns) {
    TRY_ASSIGN(const std::string body,
               look("GetUAITrainRunningLogTopicList", {{"TrainJobId", job}}, "look for the job's logs"));
    TRY_ASSIGN(pace.topics, parse_uai_topics(body));
    pace.topics_until_ns = now + kBetweenTopics_ns;
  }
  TRY_ASSIGN(const std::string unmarked, unmarked_topic(run, pace.topics));
  const std::vector<std::string> marks = marks_of(pace.topics, unmarked);
  TRY_ASSIGN(const std::string log_end,
             read_log_file(run.log(), -static_cast<std::int64_t>(kKnownBytes), kKnownBytes));
  const std::vector<UaiSeen> seen = seen_in(log_end, log_end.size() < kKnownBytes, marks);
  bool is_more = false;
  for (std::size_t i = 0; i < pace.topics.size(); ++i) {
    TRY_ASSIGN(const std::string body,
               look("GetUAITrainRunningLog", {{"TrainJobId", job}, {"LogTopicId", pace.topics[i].id}},
                    "read the job's log"));
    TRY_ASSIGN(const std::vector<std::string> answer, parse_uai_log(body));
    std::string more;
    const std::size_t known = known_of_answer(seen[i], answer);
    const bool may_lack_some =
        known == 0 && (!seen[i].lines.empty() || (is_over && answer.size() >= kLastLines));
    if (may_lack_some && !answer.empty()) more = cat(marks[i], kGap, "\n");
    for (std::size_t line = known; line < answer.size(); ++line) more += cat(marks[i], answer[line], "\n");
    if (more.empty()) continue;
    TRY_ASSIGN(LogFile log, LogFile::open(run.log()));
    TRY(log.append(more));
    is_more = true;
  }
  return is_more;
}

Result<void> UaiLog::bring(const UaiRun& run, const std::string& job, bool is_over,
                           const std::stop_token& stop) {
  TRY_ASSIGN(const Stat whole, host_.files.look(run.log_is_whole()));
  if (whole.exists()) return {};
  Pace pace;
  if (!is_over && !is_due(run.top, pace)) return {};
  TRY_ASSIGN(const FileLock lock, locks_.wait(cat("log ", run.top), host_.clock, stop));
  TRY_ASSIGN(const Stat meanwhile, host_.files.look(run.log_is_whole()));
  if (meanwhile.exists()) return {};
  auto fetched = fetch(run, job, pace, is_over, stop);
  if (is_over) {
    if (!fetched) return fail(std::move(fetched).error());
    return write_file(host_.files, run.log_is_whole(), "");
  }
  if (!fetched && fetched.error().blame == Blame::kInterrupted) return fail(std::move(fetched).error());
  const std::lock_guard guard(mutex_);
  Pace& kept = paces_[run.top];
  kept.topics = std::move(pace.topics);
  kept.topics_until_ns = pace.topics_until_ns;
  kept.pause_ns = fetched && *fetched ? kFirstPause_ns
                                      : std::clamp(kept.pause_ns * 3 / 2, kFirstPause_ns, kLongestPause_ns);
  kept.next_ns = host_.clock.steady_ns() + kept.pause_ns;
  return {};
}

// REQUIRES: the lock is held.
UaiLog::Ending& UaiLog::ending_of(const UaiRun& run, std::int64_t ended_ns) {
  const auto [found, is_new] = endings_.try_emplace(run.top);
  if (is_new) {
    // Whose clock is ahead is not known: never longer than from now on.
    const std::int64_t left = ended_ns == 0 ? kLate_ns : ended_ns + kLate_ns - host_.clock.now_ns();
    found->second.until_ns = host_.clock.steady_ns() + std::clamp<std::int64_t>(left, 0, kLate_ns);
  }
  return found->second;
}

Result<UaiRest> UaiLog::look_for_rest(const UaiRun& run, const std::string& job,
                                      const std::stop_token& stop) {
  TRY_ASSIGN(const FileLock lock, locks_.wait(cat("log ", run.top), host_.clock, stop));
  TRY_ASSIGN(const Stat whole, host_.files.look(run.log_is_whole()));
  if (whole.exists()) return UaiRest{};
  Pace pace;
  TRY_ASSIGN(const bool is_more, fetch(run, job, pace, false, stop));
  if (is_more) return UaiRest{true};
  TRY_ASSIGN(const Stat log, host_.files.look(run.log()));
  if (!log.exists() || log.size == 0) return UaiRest{true, "it tells of no line yet"};
  TRY(write_file(host_.files, run.log_is_whole(), ""));
  return UaiRest{};
}

UaiRest UaiLog::await_rest(const UaiRun& run, const std::string& job, std::int64_t ended_ns,
                           const std::stop_token& stop) {
  {
    const std::lock_guard lock(mutex_);
    const Ending& ending = ending_of(run, ended_ns);
    const std::int64_t now = host_.clock.steady_ns();
    if (now >= ending.until_ns) return {};
    if (now < ending.next_ns) return ending.rest;
  }
  auto found = look_for_rest(run, job, stop);
  const UaiRest rest = found ? *std::move(found) : UaiRest{true, found.error().message};
  const std::lock_guard lock(mutex_);
  Ending& ending = ending_of(run, ended_ns);
  ending.rest = rest;
  ending.next_ns = host_.clock.steady_ns() + kBetweenRests_ns;
  return rest;
}

}  // namespace trainmake
